# A boot sector that proves what Linux needs of a virtual machine: protected mode, paging, long mode, and page table
# changes at a reasonable speed. It writes a letter per stage to the debug console (port 0x402) and ends the machine
# through isa-debug-exit (port 0xf4): writing 0x10 there makes qemu leave with status 0x10 * 2 + 1 = 33.
#
#   as --64 -o probe.o probe.S && ld -m elf_x86_64 -Ttext 0x7c00 --oformat binary -o probe.img probe.o
#
# Source of the mode switches: Intel SDM volume 3A, 9.9 "Mode Switching" and 9.8.5 "Initializing IA-32e Mode".

    .set DEBUG, 0x402
    .set EXIT, 0xf4
    .set PML4, 0x10000              # three zeroed pages: PML4, PDPT, page directory
    .set ROUNDS, 50000

    .globl _start
    .code16
_start:
    cli
    xor %ax, %ax
    mov %ax, %ds
    mov %ax, %ss
    mov $0x7c00, %sp
    mov $DEBUG, %dx
    mov $'R', %al
    out %al, %dx
    mov $0x2402, %ax                # A20 gate on: ask the BIOS (SeaBIOS has it on anyway)
    int $0x15
    lgdtl gdt_pointer
    mov %cr0, %eax
    or $1, %al
    mov %eax, %cr0
    ljmpl $0x08, $protected

    .code32
protected:
    mov $0x10, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $DEBUG, %dx
    mov $'P', %al
    out %al, %dx

    cld                             # identity map of the first 2 MiB in one large page
    mov $PML4, %edi
    xor %eax, %eax
    mov $3 * 1024, %ecx
    rep stosl
    movl $PML4 + 0x1003, PML4
    movl $PML4 + 0x2003, PML4 + 0x1000
    movl $0x83, PML4 + 0x2000

    mov %cr4, %eax
    or $0x20, %eax                  # CR4.PAE
    mov %eax, %cr4
    mov $PML4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx           # EFER.LME
    rdmsr
    or $0x100, %eax
    wrmsr
    mov %cr0, %eax
    or $0x80000000, %eax            # CR0.PG: paging and long mode
    mov %eax, %cr0
    mov $DEBUG, %dx
    mov $'C', %al
    out %al, %dx
    ljmp $0x18, $long

    .code64
long:
    mov $DEBUG, %dx
    mov $'L', %al
    out %al, %dx
    mov $ROUNDS, %ecx
again:
    mov %ecx, 0x9000
    invlpg 0x9000
    dec %ecx
    jnz again
    mov $'S', %al
    out %al, %dx
    mov $EXIT, %dx
    mov $0x10, %al
    out %al, %dx
halt:
    hlt
    jmp halt

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff        # 0x08: 32-bit code
    .quad 0x00cf92000000ffff        # 0x10: data
    .quad 0x00af9a000000ffff        # 0x18: 64-bit code
gdt_pointer:
    .word gdt_pointer - gdt - 1
    .long gdt

    .org 510
    .word 0xaa55

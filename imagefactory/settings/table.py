"""The option table.

A field of `Settings` is an option; its name with dashes for underscores is not implied: flags and keys are spelled as
version 1.0 spelled them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from imagefactory.lib.secret import Secret
from imagefactory.settings import checks
from imagefactory.settings.client_secret import client_secret
from imagefactory.settings.mirrors import entry as mirror
from imagefactory.settings.option import OptionGroup, OptionKind, option

G, B, D, F = OptionGroup.GENERAL, OptionGroup.BUILDING, OptionGroup.DAEMON, OptionGroup.SAFETY
W, C, S = OptionGroup.WAREHOUSE, OptionGroup.CLOUDS, OptionGroup.STORAGE


def _both(name: str) -> dict[str, str]:
    return {"flag": f"--{name}", "key": name}


def _bucket(name: str, default: str, of: str) -> str:
    declared: str = option(
        default, W, OptionKind.TEXT, f"bucket of {of}", metavar="NAME", check=checks.bucket, **_both(name)
    )
    return declared


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """All settings of one run, checked and final.

    Times are seconds, sizes bytes.
    """

    verbose: bool = option(False, G, OptionKind.FLAG, "log more of what is going on", short="-v", **_both("verbose"))
    debug: bool = option(False, G, OptionKind.FLAG, "log everything; wins over --verbose", **_both("debug"))
    foreground: bool = option(
        False, G, OptionKind.FLAG, "stay in the foreground and log to the terminal", **_both("foreground")
    )
    config: Path = option(
        Path("/etc/imagefactory/imagefactory.conf"),
        G,
        OptionKind.PATH,
        "read settings from this JSON file; the default may be absent, a file named here may not",
        flag="--config",
        metavar="FILE",
        file=True,
    )
    imgdir: Path = option(
        Path("/tmp"),
        G,
        OptionKind.PATH,
        "build images below this directory",
        metavar="DIR",
        **_both("imgdir"),
        file=True,
    )
    tmpdir: Path = option(
        Path("/tmp"),
        G,
        OptionKind.PATH,
        "temporary files of the programs we call",
        metavar="DIR",
        **_both("tmpdir"),
        file=True,
    )
    timeout: int = option(
        3600,
        G,
        OptionKind.NUMBER,
        "longest time in seconds for one step of a build",
        low=1,
        metavar="SECONDS",
        **_both("timeout"),
    )
    json: bool = option(
        False, G, OptionKind.FLAG, "print one machine-readable result document on standard output", **_both("json")
    )

    target: tuple[str, ...] = option(
        (), B, OptionKind.LIST, "build for this target; repeat for several", metavar="TARGET", **_both("target")
    )
    template: str = option(
        "",
        B,
        OptionKind.TEXT,
        "the template: a file, XML text, an http(s) URL, or a UUID in the warehouse",
        metavar="TEMPLATE",
        **_both("template"),
        hidden=True,
    )
    image: str = option(
        "", B, OptionKind.TEXT, "the image to rebuild, to push, or to import into", metavar="UUID", **_both("image")
    )
    provider: tuple[str, ...] = option(
        (),
        B,
        OptionKind.LIST,
        "push to this provider; repeat for several",
        metavar="PROVIDER",
        **_both("provider"),
        hidden=True,
    )
    credentials: str = option(
        "",
        B,
        OptionKind.TEXT,
        "provider credentials: a file or XML text",
        metavar="CREDENTIALS",
        **_both("credentials"),
        hidden=True,
    )
    target_image: str = option(
        "",
        B,
        OptionKind.TEXT,
        "import: the provider's identifier of the image",
        flag="--target-image",
        key="target-image",
        metavar="ID",
    )
    image_desc: str = option(
        "",
        B,
        OptionKind.TEXT,
        "import: the image descriptor, XML text or a file",
        flag="--image-desc",
        key="image-desc",
        metavar="XML",
    )
    plan: bool = option(
        False, B, OptionKind.FLAG, "say what would be done (stages, hits and misses), build nothing", flag="--plan"
    )
    log: str = option(
        "",
        B,
        OptionKind.TEXT,
        "print the log of this job: each line that its programs printed",
        flag="--log",
        metavar="UUID",
    )
    leftovers: bool = option(
        False, B, OptionKind.FLAG, "list what interrupted pushes left at providers", flag="--leftovers"
    )
    reap: bool = option(
        False,
        B,
        OptionKind.FLAG,
        "delete what interrupted pushes left at --provider, with its --credentials",
        flag="--reap",
    )
    boot_check: bool = option(
        False,
        B,
        OptionKind.FLAG,
        "boot each built image under qemu, from the disk its cloud has (vsphere: pvscsi, ec2: NVMe, else virtio), until "
        "its login prompt, and ssh if installed",
        **_both("boot_check"),
    )
    engine: str = option(
        "bootstrap",
        B,
        OptionKind.TEXT,
        "how base systems are made: bootstrap, or an engine that another package registers",
        metavar="NAME",
        **_both("engine"),
    )
    accel: str = option(
        "auto",
        B,
        OptionKind.CHOICE,
        "acceleration of virtual machines; auto proves that KVM works before it is used",
        choices=("auto", "kvm", "tcg"),
        **_both("accel"),
    )
    mirrors: Mapping[str, str] = option(
        {},
        B,
        OptionKind.MAP,
        'prefixes of install and repository URLs in templates and what to fetch from instead, as {"http://mirror.example/debian": "http://..."}; '
        "the value apt: means the mirror of this host's own package sources",
        default_text="what the examples name, http://mirror.example/debian and http://mirror.example/ubuntu, is apt:",
        entry=mirror,
        **_both("mirrors"),
    )
    key_directories: tuple[str, ...] = option(
        (),
        B,
        OptionKind.LIST,
        "more directories with the public keys that packages are signed with, as RPM-GPG-KEY-AlmaLinux-9; asked before"
        " /etc/imagefactory/keys, /usr/share/distribution-gpg-keys and /etc/pki/rpm-gpg",
        metavar="DIR",
        **_both("key_directories"),
        file=True,
    )
    file_sources: tuple[str, ...] = option(
        (),
        B,
        OptionKind.LIST,
        "directories that file: sources of templates may be read from (local command line only)",
        metavar="DIR",
        flag="--file_sources",
        key="file_sources",
        file=True,
    )

    rest: bool = option(False, D, OptionKind.FLAG, "serve the REST API", **_both("rest"))
    port: int = option(8075, D, OptionKind.NUMBER, "port of the REST API", metavar="PORT", **_both("port"), high=65535)
    address: str = option(
        "0.0.0.0",
        D,
        OptionKind.TEXT,
        "IP address the REST API listens on, or localhost",
        metavar="ADDRESS",
        **_both("address"),
        check=checks.listening,
    )
    no_ssl: bool = option(False, D, OptionKind.FLAG, "serve plain HTTP", **_both("no_ssl"))
    ssl_pem: str = option(
        "",
        D,
        OptionKind.TEXT,
        "PEM file with private key and certificate chain; without it a certificate is made",
        metavar="FILE",
        **_both("ssl_pem"),
        file=True,
    )
    ssl_keep: bool = option(
        False,
        D,
        OptionKind.FLAG,
        "keep the made certificate: key and certificate in rest.pem in the state directory, and the certificate alone in rest.crt beside it, for clients to trust",
        **_both("ssl_keep"),
    )
    ssl_names: tuple[str, ...] = option(
        (),
        D,
        OptionKind.LIST,
        "more host names and addresses for the made certificate",
        metavar="NAME",
        **_both("ssl_names"),
    )
    no_oauth: bool = option(
        False,
        D,
        OptionKind.FLAG,
        "let every program on this host use the REST API, which then listens on loopback only",
        **_both("no_oauth"),
    )
    rest_names: tuple[str, ...] = option(
        (),
        D,
        OptionKind.LIST,
        "host names, beside those of the loopback and ssl_names, that requests without OAuth may have in Host, "
        "if the REST API listens on loopback",
        metavar="NAME",
        flag="--rest_names",
        key="rest_names",
    )
    oauth_reads: bool | None = option(
        None,
        D,
        OptionKind.FLAG,
        "demand OAuth for reading, too; false lets every host of the network read jobs and logs, as version 1.0 did",
        default_text="true, unless address is loopback",
        **_both("oauth_reads"),
    )
    clients: Mapping[str, Secret] = option(
        {},
        D,
        OptionKind.MAP,
        'OAuth consumer keys and secrets, as {"key": "secret"}; {"key": {"secret": "secret", "role": "admin"}} is a '
        "client that may change and delete what others have made",
        key="clients",
        secret=True,
        objects=client_secret,
    )
    ownership: str = option(
        "on",
        D,
        OptionKind.CHOICE,
        "whether OAuth clients may change and delete only what they have made themselves; off lets each of them change "
        "all, as version 1.0 did",
        choices=("on", "off"),
        key="ownership",
    )
    pid_file: str = option(
        "",
        D,
        OptionKind.TEXT,
        "process id file of the daemon",
        flag="--pid_file",
        key="pid_file",
        default_text="/run/imagefactory.pid for root, else STATE_DIR/imagefactory.pid",
        metavar="FILE",
        file=True,
    )
    log_file: str = option(
        "",
        D,
        OptionKind.TEXT,
        "log file of the daemon",
        flag="--log_file",
        key="log_file",
        default_text="/var/log/imagefactory.log for root, else STATE_DIR/imagefactory.log",
        metavar="FILE",
        file=True,
    )
    umask: str = option("022", D, OptionKind.TEXT, "umask of the daemon, octal", key="umask", check=checks.octal)
    stop_timeout: int = option(
        30,
        D,
        OptionKind.NUMBER,
        "how long a stopping daemon waits for cancelled jobs",
        key="stop_timeout",
        low=1,
    )

    trusted_proxies: tuple[str, ...] = option(
        (),
        F,
        OptionKind.LIST,
        "addresses or networks whose X-Forwarded-* headers are believed",
        key="trusted_proxies",
        flag="--trusted_proxies",
        check=checks.network,
    )
    template_networks: tuple[str, ...] = option(
        (),
        F,
        OptionKind.LIST,
        "loopback, link-local or private networks that templates given by URL may come from",
        key="template_networks",
        flag="--template_networks",
        metavar="NETWORK",
        check=checks.network,
    )
    repository_networks: tuple[str, ...] = option(
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"),
        F,
        OptionKind.LIST,
        "networks beside the public ones that install and repository URLs of templates sent to the daemon may lead to; servers that mirrors or this host's own apt sources name may be anywhere",
        key="repository_networks",
        metavar="NETWORK",
        check=checks.network,
    )
    template_schemes: tuple[str, ...] = option(
        ("https", "http"),
        F,
        OptionKind.LIST,
        "URL schemes that templates may come from",
        key="template_schemes",
        check=checks.scheme,
    )
    template_limit: int = option(1 << 20, F, OptionKind.SIZE, "largest template", key="template_limit")
    template_sources: int = option(
        100,
        F,
        OptionKind.NUMBER,
        "files and commands that one template may refer to by URL",
        key="template_sources",
    )
    template_sources_limit: int = option(
        16 << 20, F, OptionKind.SIZE, "largest size of all of them together", key="template_sources_limit"
    )
    template_sources_timeout: int = option(
        120, F, OptionKind.NUMBER, "seconds that fetching all of them may take", key="template_sources_timeout", low=1
    )
    log_lines: int = option(
        100_000,
        F,
        OptionKind.NUMBER,
        "lines of a job's log that are kept; what its tools print beyond that is dropped",
        key="log_lines",
        low=1,
    )
    log_limit: int = option(16 << 20, F, OptionKind.SIZE, "largest log of a job, over all its retries", key="log_limit")
    request_limit: int = option(4 << 20, F, OptionKind.SIZE, "largest REST request body", key="request_limit")
    request_timeout: int = option(
        60,
        F,
        OptionKind.NUMBER,
        "seconds a client may take to send a request, or to be idle",
        key="request_timeout",
        low=1,
    )
    max_connections: int = option(
        1000,
        F,
        OptionKind.NUMBER,
        "connections that a port serves at once, a twentieth of them for loopback only",
        key="max_connections",
        low=1,
    )
    connections_per_address: int = option(
        200,
        F,
        OptionKind.NUMBER,
        "connections that one address (of IPv6: one /64 network) may have at once; loopback and, for REST, "
        "trusted_proxies may have more",
        key="connections_per_address",
        low=1,
    )

    warehouse: str = option(
        "",
        W,
        OptionKind.TEXT,
        "URL of a remote Image Warehouse",
        default_text="http://localhost:9090/ if a warehouse answers there, else the embedded one",
        metavar="URL",
        **_both("warehouse"),
        check=checks.web_url,
    )
    warehouse_key: str = option("", W, OptionKind.TEXT, "OAuth key for the warehouse", key="warehouse_key")
    warehouse_secret: Secret = option(
        Secret(""), W, OptionKind.TEXT, "OAuth secret for the warehouse", key="warehouse_secret", secret=True
    )
    warehouse_ca: str = option(
        "",
        W,
        OptionKind.TEXT,
        "PEM file of the authorities that may sign the warehouse's certificate",
        key="warehouse_ca",
        metavar="FILE",
        file=True,
    )
    warehouse_fingerprint: str = option(
        "",
        W,
        OptionKind.TEXT,
        "SHA-256 fingerprint of the warehouse's certificate, to pin it",
        key="warehouse_fingerprint",
        check=checks.fingerprint,
    )
    warehouse_wait: int = option(
        600, W, OptionKind.NUMBER, "how long a job waits for a warehouse that is down", key="warehouse_wait"
    )
    warehouse_path: str = option(
        "",
        W,
        OptionKind.TEXT,
        "directory of the embedded warehouse",
        default_text="STATE_DIR/warehouse",
        metavar="DIR",
        flag="--warehouse_path",
        key="warehouse_path",
        file=True,
    )
    warehouse_address: str = option(
        "127.0.0.1",
        W,
        OptionKind.TEXT,
        "IP address the embedded warehouse listens on, or localhost",
        flag="--warehouse_address",
        key="warehouse_address",
        metavar="ADDRESS",
        check=checks.listening,
    )
    warehouse_port: int = option(
        9090,
        W,
        OptionKind.NUMBER,
        "port of the embedded warehouse",
        flag="--warehouse_port",
        key="warehouse_port",
        metavar="PORT",
        high=65535,
    )
    warehouse_users: str = option(
        "",
        W,
        OptionKind.TEXT,
        'JSON file [{"name": KEY, "secret": SECRET}] (mode 0600); with it the embedded warehouse demands OAuth',
        flag="--warehouse_users",
        key="warehouse_users",
        metavar="FILE",
        file=True,
    )
    warehouse_pem: str = option(
        "",
        W,
        OptionKind.TEXT,
        "PEM file with private key and certificate chain; with it the embedded warehouse serves TLS",
        flag="--warehouse_pem",
        key="warehouse_pem",
        metavar="FILE",
        file=True,
    )
    warehouse_copies: str = option(
        "",
        W,
        OptionKind.TEXT,
        "directory below which the embedded warehouse may make copies (providers of type fs)",
        default_text="no such copies",
        flag="--warehouse_copies",
        key="warehouse_copies",
        metavar="DIR",
        file=True,
    )
    image_bucket: str = _bucket("image_bucket", "images", "images")
    build_bucket: str = _bucket("build_bucket", "builds", "builds")
    target_bucket: str = _bucket("target_bucket", "target_images", "target images")
    template_bucket: str = _bucket("template_bucket", "templates", "templates")
    icicle_bucket: str = _bucket("icicle_bucket", "icicles", "ICICLEs")
    provider_bucket: str = _bucket("provider_bucket", "provider_images", "provider images")

    ec2_32bit_util: str = option(
        "m1.small",
        C,
        OptionKind.TEXT,
        "instance type of 32-bit utility instances (accepted; images are registered without any)",
        flag="--ec2-32bit-util",
        key="ec2-32bit-util",
        metavar="TYPE",
        check=checks.word,
    )
    ec2_64bit_util: str = option(
        "m1.large",
        C,
        OptionKind.TEXT,
        "instance type of 64-bit utility instances (accepted; images are registered without any)",
        flag="--ec2-64bit-util",
        key="ec2-64bit-util",
        metavar="TYPE",
        check=checks.word,
    )
    ec2_build_style: str = option(
        "upload",
        C,
        OptionKind.CHOICE,
        "how ec2 images are built; snapshot is accepted for old files and means upload",
        choices=("upload", "snapshot"),
        key="ec2_build_style",
    )
    ec2_ami_type: str = option(
        "ebs",
        C,
        OptionKind.CHOICE,
        "root device of ec2 images; s3 is accepted for old files and means ebs",
        choices=("ebs", "s3"),
        key="ec2_ami_type",
    )
    proxy_ami_id: str = option("", C, OptionKind.TEXT, "accepted for old files; not used", key="proxy_ami_id")
    rhevm_image_format: str = option(
        "qcow2", C, OptionKind.CHOICE, "format of rhevm images", choices=("qcow2", "raw"), key="rhevm_image_format"
    )
    condorcloud_path: Path = option(
        Path("/home/cloud/images"),
        C,
        OptionKind.PATH,
        "directory that condorcloud pushes go to",
        key="condorcloud_path",
        file=True,
    )
    provider_definitions: Path = option(
        Path("/etc/imagefactory"),
        C,
        OptionKind.PATH,
        "directory of rhevm.json, vsphere.json and target_content.xml",
        key="provider_definitions",
        file=True,
    )

    state_dir: Path = option(
        Path(),
        S,
        OptionKind.PATH,
        "what must survive: jobs, cache, journal, embedded warehouse",
        default_text="/var/lib/imagefactory for root, else $XDG_STATE_HOME/imagefactory",
        metavar="DIR",
        **_both("state_dir"),
        file=True,
    )
    cache_size: int = option(
        20 << 30,
        S,
        OptionKind.SIZE,
        "how large the cache of stages may grow",
        metavar="SIZE",
        **_both("cache_size"),
    )
    max_concurrent_local_sessions: int = option(
        2,
        S,
        OptionKind.NUMBER,
        "builds that run at once, each for all of its targets; more wait in order",
        low=1,
        key="max_concurrent_local_sessions",
    )
    max_concurrent_ec2_sessions: int = option(
        2, S, OptionKind.NUMBER, "ec2 pushes that run at once", low=1, key="max_concurrent_ec2_sessions"
    )
    retention_days: int = option(
        90,
        S,
        OptionKind.NUMBER,
        "finished jobs and their logs are forgotten after this many days; 0 keeps them",
        key="retention_days",
    )

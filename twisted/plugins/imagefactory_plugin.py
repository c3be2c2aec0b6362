from twisted.application.service import ServiceMaker

factory = ServiceMaker("Image Factory", "imagefactory.tap", "Builds machine images, REST API", "imagefactory")
warehouse = ServiceMaker(
    "Image Warehouse", "imagefactory.tap_warehouse", "Stores images and their metadata", "imagewarehouse"
)

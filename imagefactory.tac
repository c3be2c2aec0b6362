from imagefactory.tap import make_application

application = make_application()

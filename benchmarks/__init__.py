"""Speed of the core and of the service, compared with peers and with lower bounds."""

"""The controller of the access switches: the Ryu application, its northbound interface and its client."""

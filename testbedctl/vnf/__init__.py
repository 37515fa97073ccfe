"""Programs that run inside VNFs: the inspection engine of a vDPI and the web page of a vWapp."""

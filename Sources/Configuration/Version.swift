/// The version of the programs; the version of the Debian package begins with it.
public let version = "0.2.0"

/// The version of the programs; the package's begins with it.
public let version = "0.2.0"

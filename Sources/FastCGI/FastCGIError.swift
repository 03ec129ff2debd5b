import Glibc

/// A system call of the transport that failed.
public struct FastCGIError: Error, CustomStringConvertible {
    /// The failed call with its object: `bind /run/orbital.sock`.
    public let call: String

    /// Its `errno`.
    public let code: Int32

    init(_ call: String, _ code: Int32 = errno) {
        self.call = call
        self.code = code
    }

    /// The call and the system's words for its error.
    public var description: String { "\(call): \(String(cString: strerror(code)))" }
}

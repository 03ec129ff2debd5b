/// A request method that routes know (RFC 9110, section 9).
public enum Method: String, Sendable {
    /// Reads.
    case get = "GET"
    /// Reads the header fields only; answered wherever GET is.
    case head = "HEAD"
    /// Has a body processed.
    case post = "POST"
    /// Asks for the methods.
    case options = "OPTIONS"
}

/// A request as routes see it: values only, all copied from the transport.
public struct Request: Sendable {
    /// The method as sent; may be one that no route knows.
    public var method: String

    /// The decoded path, from the first slash.
    public var path: String

    /// The raw text after the question mark.
    public var query: String

    /// The id that ties the answer to the log lines of nginx and ours.
    public var requestID: String

    /// Makes a request.
    public init(method: String, path: String, query: String = "", requestID: String) {
        self.method = method
        self.path = path
        self.query = query
        self.requestID = requestID
    }
}

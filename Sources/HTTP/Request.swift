/// A request as routes see it: values only, all copied from the transport.
public struct Request: Sendable {
    /// The method as sent; may be one that no route knows.
    public var method: String

    /// The decoded path that routes are found by, from the first slash.
    public var path: String

    /// What stands before `path` in the client's URL: a CGI script's own path, or nothing.
    public var pathPrefix: String

    /// The raw text after the question mark.
    public var query: String

    /// The field `Accept`.
    public var accept: String?

    /// The field `If-None-Match`.
    public var ifNoneMatch: String?

    /// The id that ties the answer to the log lines of nginx and ours.
    public var requestID: String

    /// Makes a request.
    public init(
        method: String, path: String, pathPrefix: String = "", query: String = "",
        accept: String? = nil, ifNoneMatch: String? = nil, requestID: String
    ) {
        self.method = method
        self.path = path
        self.pathPrefix = pathPrefix
        self.query = query
        self.accept = accept
        self.ifNoneMatch = ifNoneMatch
        self.requestID = requestID
    }
}

/// An answer: status, header fields, and a body that is whole or still to be streamed.
public struct Response {
    /// What follows the header fields.
    public enum Body {
        /// The whole body.
        case bytes([UInt8])
        /// Writes the body piece by piece; throwing ends it visibly broken.
        case stream((BodyWriter) throws -> Void)
    }

    /// The status.
    public var status: Status

    /// Header fields in the order they are sent, without `Content-Length`.
    public var fields: [(name: String, value: String)]

    /// The body; not sent in answer to HEAD.
    public var body: Body

    /// Makes an answer with a body of `contentType`.
    public init(
        _ status: Status, contentType: String, fields: [(name: String, value: String)] = [],
        body: Body
    ) {
        self.status = status
        self.fields = [("Content-Type", contentType)] + fields
        self.body = body
    }

    /// Makes an answer with these fields and no other, and without a body unless one is given.
    public init(
        _ status: Status, fields: [(name: String, value: String)], body: Body = .bytes([])
    ) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// The status line and header fields of a CGI response, with the empty line that ends them.
    public var head: [UInt8] {
        var text = "Status: \(status.code) \(status.phrase)\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        if case .bytes(let bytes) = body, !status.isBodiless {
            text += "Content-Length: \(bytes.count)\r\n"
        }
        return Array((text + "\r\n").utf8)
    }
}

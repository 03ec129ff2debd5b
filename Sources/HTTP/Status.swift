/// A response status: the number and its phrase (RFC 9110, section 15).
public struct Status: Hashable, Sendable {
    /// The three-digit code.
    public let code: Int

    /// The phrase; nginx sends none of its own when it is missing.
    public let phrase: String

    /// Whether an answer with it never has a body.
    public var isBodiless: Bool { code == 204 || code == 304 }

    /// 200.
    public static let ok = Status(code: 200, phrase: "OK")
    /// 204.
    public static let noContent = Status(code: 204, phrase: "No Content")
    /// 304.
    public static let notModified = Status(code: 304, phrase: "Not Modified")
    /// 400.
    public static let badRequest = Status(code: 400, phrase: "Bad Request")
    /// 404.
    public static let notFound = Status(code: 404, phrase: "Not Found")
    /// 405.
    public static let methodNotAllowed = Status(code: 405, phrase: "Method Not Allowed")
    /// 406.
    public static let notAcceptable = Status(code: 406, phrase: "Not Acceptable")
    /// 500.
    public static let internalServerError = Status(code: 500, phrase: "Internal Server Error")
    /// 503.
    public static let serviceUnavailable = Status(code: 503, phrase: "Service Unavailable")
}

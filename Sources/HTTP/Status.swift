/// A response status: the number and its phrase (RFC 9110, section 15).
public struct Status: Hashable, Sendable {
    /// The three-digit code.
    public let code: Int

    /// The reason phrase; nginx adds none if it is missing.
    public let phrase: String

    /// Whether a response with this status never has a body.
    public var isBodiless: Bool { code == 204 || code == 304 }

    /// 200.
    public static let ok = Status(code: 200, phrase: "OK")
    /// 201.
    public static let created = Status(code: 201, phrase: "Created")
    /// 204.
    public static let noContent = Status(code: 204, phrase: "No Content")
    /// 304.
    public static let notModified = Status(code: 304, phrase: "Not Modified")
    /// 400.
    public static let badRequest = Status(code: 400, phrase: "Bad Request")
    /// 401.
    public static let unauthorized = Status(code: 401, phrase: "Unauthorized")
    /// 403.
    public static let forbidden = Status(code: 403, phrase: "Forbidden")
    /// 404.
    public static let notFound = Status(code: 404, phrase: "Not Found")
    /// 405.
    public static let methodNotAllowed = Status(code: 405, phrase: "Method Not Allowed")
    /// 406.
    public static let notAcceptable = Status(code: 406, phrase: "Not Acceptable")
    /// 409.
    public static let conflict = Status(code: 409, phrase: "Conflict")
    /// 411.
    public static let lengthRequired = Status(code: 411, phrase: "Length Required")
    /// 413.
    public static let contentTooLarge = Status(code: 413, phrase: "Content Too Large")
    /// 415.
    public static let unsupportedMediaType = Status(code: 415, phrase: "Unsupported Media Type")
    /// 422.
    public static let unprocessableContent = Status(code: 422, phrase: "Unprocessable Content")
    /// 500.
    public static let internalServerError = Status(code: 500, phrase: "Internal Server Error")
    /// 503.
    public static let serviceUnavailable = Status(code: 503, phrase: "Service Unavailable")
}

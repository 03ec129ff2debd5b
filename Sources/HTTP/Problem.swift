public import Encoding

/// An error that is explained to the client (RFC 9457); any other error becomes a plain 500.
public struct Problem: Error {
    /// One fault of the request.
    public struct Fault: Equatable, Sendable {
        /// The location: `query`, `header` or `body`.
        public let location: String
        /// The name of the parameter, field or member.
        public let name: String
        /// The kind of the fault, for programs.
        public let code: Code
        /// An explanation for people.
        public let message: String

        /// Makes a fault.
        public init(in location: String, name: String, code: Code, message: String) {
            self.location = location
            self.name = name
            self.code = code
            self.message = message
        }
    }

    /// The status of the response.
    public let status: Status

    /// A sentence about this occurrence of the error.
    public let detail: String

    /// All faults that were found.
    public let faults: [Fault]

    /// Header fields that the status requires, such as `Allow`.
    public let fields: [(name: String, value: String)]

    /// Makes a problem.
    public init(
        _ status: Status, _ detail: String, faults: [Fault] = [],
        fields: [(name: String, value: String)] = []
    ) {
        self.status = status
        self.detail = detail
        self.faults = faults
        self.fields = fields
    }

    /// A 503 with `Retry-After`.
    public static func unavailable(_ detail: String, retryAfterSeconds: Int) -> Problem {
        Problem(
            .serviceUnavailable, detail, fields: [("Retry-After", String(retryAfterSeconds))])
    }

    /// The response to the request for `instance`; both arguments may be unknown.
    public func response(instance: String?, requestID: String?) -> Response {
        var json = JSONWriter()
        json.object { json in
            json.member("type", "about:blank")
            json.member("title", status.phrase)
            json.member("status", literal: String(status.code))
            json.member("detail", detail)
            if let instance { json.member("instance", instance) }
            if let requestID { json.member("request_id", requestID) }
            if !faults.isEmpty {
                json.name("errors")
                json.array { json in faults.forEach { $0.write(to: &json) } }
            }
        }
        return Response(
            status, contentType: "application/problem+json",
            fields: [("Cache-Control", "no-store")] + fields, body: .bytes(json.bytes))
    }
}

extension Problem.Fault {
    /// Writes the fault as an object.
    public func write(to json: inout JSONWriter) {
        json.object { json in
            json.member("in", location)
            json.member("name", name)
            json.member("code", code.rawValue)
            json.member("message", message)
        }
    }
}

extension Problem {
    /// The machine-readable kind of a fault.
    public enum Code: String, CaseIterable, Sendable {
        /// Closed books: the record is archived, or dated before the line.
        case closed
        /// The id belongs to another message.
        case conflict
        /// An object has the same member twice.
        case duplicateMember = "duplicate_member"
        /// A timestamp in the future.
        case inTheFuture = "in_the_future"
        /// Not in the expected form.
        case malformed
        /// Required, but absent.
        case missing
        /// No available media type is acceptable to the client.
        case notAcceptable = "not_acceptable"
        /// A JSON value other than an object.
        case notAnObject = "not_an_object"
        /// Another value than the one to which the key is bound.
        case outOfBounds = "out_of_bounds"
        /// A number that is too small or too large.
        case outOfRange = "out_of_range"
        /// A parameter that must not be repeated.
        case repeated
        /// A range that ends before it begins.
        case reversed
        /// A text that is too long.
        case tooLong = "too_long"
        /// Too many values in one request.
        case tooMany = "too_many"
        /// A range that is too long for its granularity.
        case tooManyBuckets = "too_many_buckets"
        /// An unknown name.
        case unknown
        /// A member of a body that is not allowed.
        case unknownMember = "unknown_member"
        /// Not an IANA time zone.
        case unknownTimeZone = "unknown_time_zone"
        /// The price list has no rate for this time.
        case unpriced
        /// A format that the service does not support.
        case unsupported
        /// A JSON value of the wrong type.
        case wrongType = "wrong_type"
    }
}

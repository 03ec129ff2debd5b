extension Problem {
    /// The machine-readable kind of a fault.
    public enum Code: String, CaseIterable, Sendable {
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
        /// A number that is too small or too large.
        case outOfRange = "out_of_range"
        /// A parameter that must not be repeated.
        case repeated
        /// A range that ends before it begins.
        case reversed
        /// Too many values in one request.
        case tooMany = "too_many"
        /// A range that is too long for its granularity.
        case tooManyBuckets = "too_many_buckets"
        /// An unknown name.
        case unknown
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

extension Problem {
    /// What is wrong with one part of a request: a word for programs.
    public enum Code: String, CaseIterable, Sendable {
        /// The same id stands for something else.
        case conflict
        /// A member stands in an object twice.
        case duplicateMember = "duplicate_member"
        /// A time that has not come yet.
        case inTheFuture = "in_the_future"
        /// Not in the form that is expected.
        case malformed
        /// Needed, but not there.
        case missing
        /// Nothing that the client accepts can be given.
        case notAcceptable = "not_acceptable"
        /// Another JSON value where an object is expected.
        case notAnObject = "not_an_object"
        /// A number that is too small or too large.
        case outOfRange = "out_of_range"
        /// Given more than once.
        case repeated
        /// An end that lies before its beginning.
        case reversed
        /// More values than may be asked for at once.
        case tooMany = "too_many"
        /// A range that is too long for its granularity.
        case tooManyBuckets = "too_many_buckets"
        /// A name that means nothing here.
        case unknown
        /// Not in the IANA database.
        case unknownTimeZone = "unknown_time_zone"
        /// The price list says nothing about this time.
        case unpriced
        /// A form that the service does not read.
        case unsupported
        /// A JSON value of another type.
        case wrongType = "wrong_type"
    }
}

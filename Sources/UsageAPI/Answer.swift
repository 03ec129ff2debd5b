import HTTP

/// What a query is answered with, whoever asks and however the query was written.
struct Answer {
    /// The value of `Content-Type`.
    let contentType: String

    /// Fields that tell of the records, such as `X-Total-Count`.
    var fields: [(name: String, value: String)] = []

    /// The cursor of the next page.
    var nextCursor: String?

    /// The body.
    var body: Response.Body
}

import HTTP
import Spool

/// What a query is answered with, whoever asks and however the query was written.
struct Answer {
    /// The value of `Content-Type`.
    let contentType: String

    /// Fields that tell of the records, such as `X-Total-Count`.
    ///
    /// Each stands in nginx/orbital.conf as well, for answers that come from files.
    var fields: [(name: String, value: String)] = []

    /// The cursor of the next page.
    var nextCursor: String?

    /// The body.
    var body: Response.Body

    /// The file that the web server sends instead of the body.
    var file: SpooledFile?
}

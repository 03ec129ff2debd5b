import HTTP
import UsageStore

/// `GET /usage`: all usage records, ordered by time and message id, streamed.
///
/// The first record is read before the answer begins, so that an error can still be a status.
func usage(_ request: Request, _ service: Service) throws -> Response {
    let rows = try service.store.records()
    let hasFirst = try rows.next()
    return Response(
        .ok, contentType: "application/json", fields: [("Cache-Control", "no-cache")],
        body: .stream { writer in
            var encoder = UsageRecordEncoder(writer: writer)
            try writer.append(#"{"usage":["#.utf8)
            if hasFirst {
                try encoder.append(rows)
                while try rows.next() {
                    try writer.append(CollectionOfOne(UInt8(ascii: ",")))
                    try encoder.append(rows)
                }
            }
            try writer.append("]}".utf8)
        })
}

import HTTP
import Metrics

/// `GET /metrics`: the state of the process in the text format of Prometheus; ignores the query.
func metrics(_ request: Request, _ service: Service) throws -> Response {
    Response(
        .ok, contentType: Exposition.contentType, fields: [("Cache-Control", "no-store")],
        body: .bytes(Array(service.exposition().utf8)))
}

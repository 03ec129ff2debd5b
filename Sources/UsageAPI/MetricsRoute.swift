import HTTP
import Metrics

/// `GET /metrics`: the state of the process in the text format of Prometheus.
func metrics(_ request: Request, _ service: Service) throws -> Response {
    try request.refuseParameters()
    return Response(
        .ok, contentType: Exposition.contentType, fields: [("Cache-Control", "no-store")],
        body: .bytes(Array(service.exposition().utf8)))
}

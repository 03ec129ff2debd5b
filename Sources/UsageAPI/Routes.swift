import Encoding
public import HTTP

private let read = "usage:read"
private let write = "usage:write"
private let correction = "usage:correct"

/// Every path of the API, each handled in a file `…Route.swift`; orbital-fcgi adds `/metrics`.
public let routes: [Route<Principal, Service>] = [
    Route("/usage", get: Action(read, usage), post: Action(write, record)),
    Route("/usage/summary", get: Action(read, summary)),
    Route("/usage/attributions", get: Action(read, attributions)),
    Route("/usage/estimate", post: Action(read, estimate)),
    Route("/usage/{message_id}", get: Action(read, receipt)),
    Route("/usage/{message_id}/correction", post: Action(correction, correct)),
    Route("/budgets", get: Action(read, budgets)),
    Route("/budgets/{name}", get: Action(read, budget)),
    Route("/me", get: Action(anyScope, me)),
    Route("/health", get: Action(nil, health)),
    Route("/health/live", get: Action(nil, live)),
    Route("/health/ready", get: Action(nil, ready)),
]

extension Response {
    /// A JSON response that must not be cached.
    static func json(
        _ json: JSONWriter, _ status: Status = .ok, _ fields: [(name: String, value: String)] = []
    ) -> Response {
        Response(
            status, contentType: "application/json",
            fields: fields + [("Cache-Control", "no-store")], body: .bytes(json.bytes))
    }
}

import Encoding
import HTTP
import Usage

/// `GET /me`: who makes the request, with scopes and bounds.
func me(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    try request.refuseParameters()
    var json = JSONWriter()
    json.object { json in
        switch principal.identity {
        case .key(let id, let name):
            json.member("key_id", id)
            json.member("name", name)
        case .user(let name): json.member("user", name)
        case .anybody: break
        }
        json.name("scopes")
        json.array { json in principal.scopes.forEach { json.string($0) } }
        if !principal.bounds.isEmpty { json.member("bounds", literal: principal.bounds.json) }
    }
    return .json(json)
}

import Foundation
import HTTP
import TestSupport
import Testing
import UsageAPI

/// `openapi.json` against the route table: neither has more than the other.
@Suite struct `The description of the API` {
    private struct Description: Decodable {
        let paths: [String: [String: Operation]]
        let components: Components
    }

    private struct Components: Decodable {
        let schemas: Schemas
    }

    private struct Schemas: Decodable {
        let Code: Enumeration
    }

    private struct Enumeration: Decodable {
        let `enum`: [String]
    }

    private struct Operation: Decodable {
        let security: [[String: [String]]]
    }

    private func description() throws -> Description {
        let file = URL(fileURLWithPath: Repository.path("nginx/html/openapi.json"))
        return try JSONDecoder().decode(Description.self, from: Data(contentsOf: file))
    }

    /// Who may do it, in words: whoever writes needs a key, for reading it depends.
    private func security(_ scope: String?) -> [[String: [String]]] {
        switch scope {
        case nil: []
        case "usage:read": [["key": []], [:]]
        default: [["key": []]]
        }
    }

    @Test func `has every route, with its methods and its access, and no other`() throws {
        var expected: [String: [String: [[String: [String]]]]] = [:]
        for route in routes where route.isPublic {
            var methods: [String: [[String: [String]]]] = [:]
            if let get = route.get { methods["get"] = security(get.scope) }
            if let post = route.post { methods["post"] = security(post.scope) }
            expected[route.path] = methods
        }
        let described = try description().paths.mapValues { $0.mapValues(\.security) }
        #expect(described == expected)
    }

    @Test func `has every code that a fault can have, and no other`() throws {
        let described = try description().components.schemas.Code.enum
        #expect(described.sorted() == Problem.Code.allCases.map(\.rawValue).sorted())
    }
}

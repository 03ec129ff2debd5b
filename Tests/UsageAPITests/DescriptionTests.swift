import Foundation
import HTTP
import TestSupport
import Testing
import Usage
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

    /// Who may do it, in words: writing needs a key, reading only if ACCESS is keyed.
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
        #expect(Set(described).isSuperset(of: MessageFault.Code.allCases.map(\.rawValue)))
    }
}

/// `openapi.json` against the table of record columns.
@Suite struct `The description of a record` {
    private let text: String
    private let schemas: [String: Any]
    private let parameters: [[String: Any]]

    init() throws {
        let file = URL(fileURLWithPath: Repository.path("nginx/html/openapi.json"))
        let data = try Data(contentsOf: file)
        text = String(decoding: data, as: UTF8.self)
        let root = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        let components = try #require(root["components"] as? [String: Any])
        schemas = try #require(components["schemas"] as? [String: Any])
        let common = try #require(components["parameters"] as? [String: Any])
        let paths = try #require(root["paths"] as? [String: [String: Any]])
        let get = try #require(paths["/usage"]?["get"] as? [String: Any])
        parameters = try #require(get["parameters"] as? [[String: Any]]).compactMap { parameter in
            guard let reference = parameter["$ref"] as? String else { return parameter }
            return common[String(reference.split(separator: "/").last ?? "")] as? [String: Any]
        }
    }

    private func schema(_ name: String) throws -> [String: Any] {
        try #require(schemas[name] as? [String: Any], "\(name)")
    }

    /// The properties of a schema in the order of the file, which dictionaries do not keep.
    private func properties(_ name: String) throws -> [(name: String, schema: [String: Any])] {
        let start = try #require(text.range(of: "\n      \"\(name)\": {\n"))
        let end = try #require(text[start.upperBound...].range(of: "\n      }"))
        let properties = try #require(
            try schema(name)["properties"] as? [String: [String: Any]])
        let names = text[start.upperBound..<end.lowerBound]
            .matches(of: /\n {10}"([a-z_]+)": \{/).map { String($0.1) }
        #expect(Set(names) == Set(properties.keys))
        return try names.map { ($0, try resolved(try #require(properties[$0]))) }
    }

    /// What a reference stands for, or of alternatives the one that is not null.
    private func resolved(_ schema: [String: Any]) throws -> [String: Any] {
        if let reference = schema["$ref"] as? String {
            return try self.schema(String(reference.split(separator: "/").last ?? ""))
        }
        let alternatives = schema["anyOf"] as? [[String: Any]] ?? []
        return try alternatives.first { $0["$ref"] != nil }.map(resolved) ?? schema
    }

    private func kind(_ schema: [String: Any]) -> String {
        switch (schema["type"] as? String, schema["format"] as? String) {
        case ("integer", "int64"): "integer"
        case ("number", nil): "credits"
        case ("string", "date-time"): "timestamp"
        case ("string", nil): "text"
        case ("object", nil): "tags"
        case let other: "\(other)"
        }
    }

    @Test(arguments: [
        ("UsageRecord", UsageRecord.Form.response, []),
        ("RecordedMessage", .fields, []),
        ("Duplicate", .fields, ["status"]),
        ("RecordFields", .fields, []),
        ("Message", .request, []),
    ])
    func `has the columns of the table, in their order`(
        name: String, form: UsageRecord.Form, more: [String]
    ) throws {
        // The query names the fields; only then are the time of recording and `corrected` shown.
        let isNamed = name == "RecordFields"
        let columns =
            isNamed
            ? UsageRecord.Column.selectable
            : UsageRecord.Column.columns(of: form).filter { $0 != .recordedAt }
        let properties = try properties(name)
        #expect(properties.map(\.name) == columns.map(\.name) + more)
        let required = try schema(name)["required"] as? [String] ?? []
        let isResponse = form != .request && !isNamed
        #expect(
            required
                == columns.filter { isResponse && $0.required.contains(.response) }.map(\.name)
                + more)
        for (column, property) in zip(columns, properties) {
            #expect(kind(property.schema) == column.kind.name, "\(column.name)")
            switch column.kind {
            case .text(_, .characters(let limit)), .text(_, .identifier(let limit)):
                #expect(property.schema["maxLength"] as? Int == limit, "\(column.name)")
            default: continue
            }
        }
    }

    @Test func `has all columns but one beside its receipt`() throws {
        let names = UsageRecord.Column.columns(of: .fields).map(\.name)
        #expect(
            try properties("ReceiptedRecord").map(\.name)
                == names.filter { $0 != "recorded_at" } + ["receipt"])
        let fields = try #require(try schema("Fields")["items"] as? [String: Any])
        let selectable = UsageRecord.Column.selectable.map(\.name)
        #expect(fields["enum"] as? [String] == selectable + ["all"])
    }

    @Test func `sorts by the columns that are sortable`() throws {
        let sort = try schema("Sort")
        let items = try #require(sort["items"] as? [String: Any])
        let names = SortOrder.columns.map(\.name)
        #expect(
            Set(try #require(items["enum"] as? [String]))
                == Set(names.flatMap { [$0, "\($0):asc", "\($0):desc"] }))
        #expect(sort["maxItems"] as? Int == names.count)
    }

    @Test func `filters by the columns that are filterable`() {
        let repeated = parameters.filter { parameter in
            (parameter["schema"] as? [String: Any])?["type"] as? String == "array"
                && parameter["explode"] as? Bool == true
        }
        #expect(
            repeated.map { $0["name"] as? String }
                == UsageRecord.Column.all.filter(\.isFilterable).map(\.name) + ["tag"])
    }

    @Test func `shows the header of CSV`() throws {
        let header = UsageRecord.Column.columns(of: .response).map(\.name).joined(separator: ",")
        let description = try schema("UsageTable")["description"] as? String
        #expect(description?.contains("Without `fields`, the header is `\(header)`.") == true)
    }
}

import HTTP
import Postgres
import TestSupport
import Testing
@testable import UsageAPI
import Usage
import UsageStore

/// A bound principal on every route that reads records.
@Suite(.timeLimit(.minutes(2))) struct `A principal that may see one team` {
    private let database: Database
    private let service: Service
    private let everybody = Principal(.anybody, scopes: ["usage:read"])
    private let bound: Principal

    init() throws {
        database = try Database()
        try database.run(
            """
            INSERT INTO usage_record
                (message_id, "timestamp", report_name, message_text, attribution_id)
            SELECT n, '2024-01-01T00:00:00Z'::timestamptz + n * interval '1 day',
                (ARRAY['mine', 'yours', NULL])[n % 3 + 1], repeat('x', 40),
                usage_attribution(
                    'u-' || n % 2, 't-' || n % 3, NULL, jsonb_build_object('half', (n % 2)::text))
            FROM generate_series(1, 12) AS n
            """)
        service = Service(
            store: database.store(), cache: ResponseCache(byteLimit: 1 << 20), cacheSeconds: 0,
            isKeyed: true)
        var bounds = Bounds()
        bounds.teamID = "t-0"
        bound = Principal(.key(id: "1", name: "one"), scopes: ["usage:read"], bounds: bounds)
    }

    private struct Answer {
        var status = Status.ok
        var fields: [(name: String, value: String)] = []
        var body = ""

        func field(_ name: String) -> String? { fields.first { $0.name == name }?.value }

        /// The ids in the body, in JSON or CSV.
        var ids: [Int] {
            body.matches(of: /(?:"message_id":|\R)(\d+)[,}]/).compactMap { Int($0.1) }
        }
    }

    /// What the route of `path` responds to `principal`.
    private func get(
        _ path: String, _ query: String = "", as principal: Principal, ifNoneMatch: String? = nil,
        method: String = "GET"
    ) throws -> Answer {
        let request = Request(
            method: method, path: path, query: query, ifNoneMatch: ifNoneMatch, requestID: "1")
        defer { service.store.release() }
        do {
            let route = try Router(routes).match(for: request).route
            let action = try #require(try route.action(for: method))
            let response = try action.handle(request, principal, service)
            var answer = Answer(status: response.status, fields: response.fields)
            switch response.body {
            case .bytes(let bytes): answer.body = String(decoding: bytes, as: UTF8.self)
            case .stream(let produce):
                var bytes: [UInt8] = []
                let writer = BodyWriter { piece in
                    for index in piece.indices { bytes.append(piece[index]) }
                }
                try produce(writer)
                try writer.flush()
                answer.body = String(decoding: bytes, as: UTF8.self)
            }
            return answer
        } catch let problem as Problem {
            return Answer(status: problem.status)
        }
    }

    private static let mine = [3, 6, 9, 12]

    @Test(arguments: ["", "format=csv", "format=ndjson", "totals=true", "from=2024-01-01"])
    func `finds only its records in a list`(query: String) throws {
        for _ in 1...2 {
            #expect(try get("/usage", query, as: everybody).ids == Array(1...12))
            #expect(try get("/usage", query, as: bound).ids == Self.mine)
        }
        #expect(try get("/usage", "report_name=yours", as: bound).ids == [])
        #expect(try get("/usage", "has_report=false", as: bound).ids == [])
        #expect(try get("/usage", "report_name=mine&from=2024-01-08", as: bound).ids == [9, 12])
    }

    @Test(arguments: ["", "&sort=report_name:desc,message_id", "&sort=credits_used:desc"])
    func `finds only its records page by page, by cursors of its own`(sort: String) throws {
        var ids: [Int] = []
        var query = "limit=3\(sort)"
        for _ in 1...2 {
            let page = try get("/usage", query, as: bound)
            ids += page.ids
            let cursor = page.body.firstMatch(of: /"next_cursor":"([^"]+)"/)?.1
            query = "limit=3\(sort)&cursor=\(cursor ?? "none")"
        }
        #expect(ids == Self.mine)
        let page = try get("/usage", "limit=3\(sort)", as: everybody)
        let cursor = try #require(page.body.firstMatch(of: /"next_cursor":"([^"]+)"/)?.1)
        query = "limit=3\(sort)&cursor=\(cursor)"
        #expect(try get("/usage", query, as: everybody).ids.count == 3)
        #expect(try get("/usage", query, as: bound).status == .badRequest)
    }

    @Test(arguments: ["GET", "HEAD"])
    func `counts only its records in totals`(method: String) throws {
        for (principal, count, credits) in [
            (everybody, "12", "48.00"), (bound, "4", "16.00"),
        ] {
            let answer = try get("/usage", "totals=true", as: principal, method: method)
            #expect(answer.field("X-Total-Count") == count)
            #expect(answer.field("X-Total-Credits") == credits)
        }
    }

    @Test func `sums only its records, over its own period`() throws {
        for query in ["", "from=2024-01-01&to=2024-02-01", "granularity=total"] {
            let whole = try get("/usage/summary", query, as: everybody)
            #expect(whole.body.contains(#""totals":{"messages":12,"#), "\(query)")
            let own = try get("/usage/summary", query, as: bound)
            #expect(own.body.contains(#""totals":{"messages":4,"#), "\(query)")
            #expect(
                own.body.hasSuffix(
                    #""by_report":[{"report_name":"mine","messages":4,"credits_used":16.00}]}"#))
        }
        let own = try get("/usage/summary", as: bound)
        #expect(
            own.body.hasPrefix(
                #"{"from":"2024-01-04T00:00:00+00:00","to":"2024-01-14T00:00:00+00:00","#))
    }

    @Test func `learns nothing about the prices of other records`() throws {
        try database.run(
            """
            INSERT INTO credit_rate (model, effective_from, tokenizer, input_price, output_price,
                cache_read_price, cache_creation_price, minimum_hundredths)
            VALUES ('o*', '2024-01-01Z', 'characters', 1, 1, 1, 1, 1);
            INSERT INTO usage_record (message_id, "timestamp", message_text, attribution_id)
            VALUES (13, '2024-01-02Z', 'x', usage_attribution(NULL, NULL, 'gpt-5', NULL));
            """)
        let name = #""newest_records_without_model_rate":1,"#
        #expect(try get("/usage/summary", as: everybody).body.contains(name))
        #expect(try !get("/usage/summary", as: bound).body.contains(name))
    }

    @Test func `finds only users of its records`() throws {
        let query = "of=user_id&format=csv"
        let list = { try get("/usage/attributions", query, as: $0).body }
        #expect(
            try list(everybody) == "value,messages,credits_used\r\nu-0,6,24.00\r\nu-1,6,24.00\r\n")
        #expect(try list(bound) == "value,messages,credits_used\r\nu-0,2,8.00\r\nu-1,2,8.00\r\n")
    }

    @Test(arguments: ["", "sort=timestamp:desc&limit=12", "limit=12", "fields=all"])
    func `bound to a user, a team or a tag finds only their records`(query: String) throws {
        for (user, team, tags, expected) in [
            ("u-1", nil, [], [1, 3, 5, 7, 9, 11]),
            (nil, "t-2", [], [2, 5, 8, 11]),
            ("u-1", "t-2", [], [5, 11]),
            (nil, nil, [("half", "1")], [1, 3, 5, 7, 9, 11]),
        ] as [(String?, String?, [(String, String)], [Int])] {
            var bounds = Bounds()
            bounds.userID = user
            bounds.teamID = team
            bounds.tags = tags.map { (key: $0.0, value: $0.1) }
            let principal = Principal(.anybody, scopes: ["usage:read"], bounds: bounds)
            let ids = try get("/usage", query, as: principal).ids
            #expect(ids.sorted() == expected, "\(bounds)")
            let others = try get("/usage", "\(query)&user_id=u-0", as: principal).ids
            #expect(others.sorted() == expected.filter { $0 % 2 == 0 })
            for id in 1...12 {
                let status = try get("/usage/\(id)", as: principal).status
                #expect(status == (expected.contains(id) ? .ok : .notFound))
            }
            let sums = try get("/usage/summary", as: principal).body
            #expect(sums.contains(#""totals":{"messages":\#(expected.count),"#))
        }
    }

    @Test func `finds no receipt of another record`() throws {
        for id in 1...12 {
            let path = "/usage/\(id)"
            #expect(try get(path, as: everybody).status == .ok)
            let isMine = Self.mine.contains(id)
            #expect(try get(path, as: bound).status == (isMine ? .ok : .notFound), "\(id)")
        }
    }

    @Test(arguments: [
        ("/usage", ""), ("/usage", "limit=5"), ("/usage", "format=csv"), ("/usage/summary", ""),
        ("/usage/3", ""), ("/usage/attributions", "of=user_id"),
    ])
    func `shares no cached response and no ETag with others`(path: String, query: String) throws {
        for (first, second) in [(everybody, bound), (bound, everybody)] {
            try database.run("DELETE FROM usage_record WHERE false")
            let others = try get(path, query, as: first)
            let own = try get(path, query, as: second)
            let tag = try #require(others.field("ETag"))
            #expect(own.field("ETag") != tag)
            #expect(path == "/usage/3" || own.body != others.body)
            #expect(try get(path, query, as: second, ifNoneMatch: tag).status == .ok)
            #expect(try get(path, query, as: first, ifNoneMatch: tag).status == .notModified)
            let again = try get(path, query, as: second)
            #expect(again.body == own.body && again.field("ETag") == own.field("ETag"))
        }
    }
}

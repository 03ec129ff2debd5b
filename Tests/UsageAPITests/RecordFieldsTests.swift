import HTTP
import TestSupport
import Testing
@testable import UsageAPI
import UsageStore

/// Whole responses about one record that has everything, and one that has only what it must.
@Suite(.timeLimit(.minutes(2))) struct `The fields of records` {
    private let database: Database
    private let service: Service

    init() throws {
        database = try Database()
        try database.run(
            """
            INSERT INTO usage_record (message_id, external_id, "timestamp", recorded_at, report_name,
                attribution_id, input_tokens, output_tokens, cache_read_input_tokens,
                cache_creation_input_tokens, message_text, credit_hundredths)
            VALUES (1, 'chatcmpl-"1"', '2024-01-15T14:30:00Z', '2024-01-15T14:30:01.5Z', 'Lease',
                usage_attribution('u-17', 'legal', 'gpt-5', '{"env":"a\\"b","a":"é,","Z":"1"}'),
                1200, 0, 800, 300, 'What?', 375),
            (2, NULL, '2024-01-15T15:45:00Z', NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'x', 100)
            """)
        service = Service(
            store: database.store(), cache: ResponseCache(byteLimit: 1 << 20), cacheSeconds: 0,
            isKeyed: false)
    }

    private func get(_ path: String, _ query: String = "") throws -> (body: String, tag: String?) {
        defer { service.store.release() }
        let request = Request(method: "GET", path: path, query: query, requestID: "1")
        let action = try Router(routes).match(for: request).route.get
        let response = try #require(action).handle(
            request, Principal(.anybody, scopes: ["usage:read"]), service)
        let tag = response.fields.first { $0.name == "ETag" }?.value
        var bytes: [UInt8] = []
        switch response.body {
        case .bytes(let body): bytes = body
        case .stream(let produce):
            let writer = BodyWriter { piece in
                for index in piece.indices { bytes.append(piece[index]) }
            }
            try produce(writer)
            try writer.flush()
        }
        return (String(decoding: bytes, as: UTF8.self), tag)
    }

    private static let first = #"""
        "message_id":1,"external_id":"chatcmpl-\"1\"","timestamp":"2024-01-15T14:30:00Z",
        """#
    private static let rest = #"""
        "report_name":"Lease","user_id":"u-17","team_id":"legal","model":"gpt-5","tags":{"Z":"1","a":"é,","env":"a\"b"},"input_tokens":1200,"output_tokens":0,"cache_read_input_tokens":800,"cache_creation_input_tokens":300,"credits_used":3.75
        """#
    private static let second =
        #"{"message_id":2,"timestamp":"2024-01-15T15:45:00Z","credits_used":1.00"#

    @Test func `are those of the contract unless a query names others`() throws {
        let standard = #"""
            {"usage":[{"message_id":1,"timestamp":"2024-01-15T14:30:00Z","report_name":"Lease","credits_used":3.75},\#(Self.second)}]}
            """#
        let bare = try get("/usage")
        #expect(bare.body == standard)
        let named = try get("/usage", "fields=credits_used,report_name,message_id,timestamp")
        #expect(named.body == standard && named.tag == bare.tag)
    }

    @Test func `are all in the order of the table, without those that have no value`() throws {
        let recorded = #""recorded_at":"2024-01-15T14:30:01.500000Z","#
        let record = "{\(Self.first)\(recorded)\(Self.rest)}"
        #expect(try get("/usage", "fields=all").body == "{\"usage\":[\(record),\(Self.second)}]}")
        #expect(
            try get("/usage", "fields=all&format=ndjson").body == "\(record)\n\(Self.second)}\n")
        #expect(
            try get("/usage", "fields=all&format=csv").body == """
                message_id,external_id,timestamp,recorded_at,report_name,user_id,team_id,model,tags,input_tokens,output_tokens,cache_read_input_tokens,cache_creation_input_tokens,corrects,reason,credits_used\r
                1,"chatcmpl-""1""\",2024-01-15T14:30:00Z,2024-01-15T14:30:01.500000Z,Lease,u-17,legal,gpt-5,"{""Z"":""1"",""a"":""é,"",""env"":""a\\""b""}",1200,0,800,300,,,3.75\r
                2,,2024-01-15T15:45:00Z,,,,,,,,,,,,,1.00\r\n
                """)
    }

    @Test func `may lack the first one, or all`() throws {
        #expect(
            try get("/usage", "fields=model,report_name").body
                == #"{"usage":[{"report_name":"Lease","model":"gpt-5"},{}]}"#)
        #expect(
            try get("/usage", "fields=recorded_at,credits_used&format=ndjson").body == """
                {"recorded_at":"2024-01-15T14:30:01.500000Z","credits_used":3.75}
                {"credits_used":1.00}\n
                """)
        #expect(
            try get("/usage", "fields=report_name,user_id&format=csv").body
                == "report_name,user_id\r\nLease,u-17\r\n,\r\n")
    }

    /// Many readers of CSV skip empty lines.
    @Test func `leave no empty line in CSV`() throws {
        #expect(
            try get("/usage", "fields=user_id&format=csv").body == "user_id\r\nu-17\r\n\"\"\r\n")
        #expect(
            try get("/usage", "fields=input_tokens&format=csv").body
                == "input_tokens\r\n1200\r\n\"\"\r\n")
    }

    @Test func `do not have to include those of the order, and are part of the ETag`() throws {
        let query = "sort=credits_used:desc&limit=1&fields=user_id"
        let page = try get("/usage", query)
        let cursor = try #require(page.body.firstMatch(of: /"next_cursor":"([^"]+)"/)?.1)
        #expect(page.body == #"{"usage":[{"user_id":"u-17"}],"next_cursor":"\#(cursor)"}"#)
        #expect(try get("/usage", "\(query)&cursor=\(cursor)").body == #"{"usage":[{}]}"#)
        let other = try get("/usage", "sort=credits_used:desc&limit=1&fields=team_id")
        #expect(other.body.hasPrefix(#"{"usage":[{"team_id":"legal"}]"#) && other.tag != page.tag)
    }

    @Test func `are all but the time of recording beside a receipt`() throws {
        #expect(try get("/usage/1").body.hasPrefix("{\(Self.first)\(Self.rest),\"receipt\":{"))
        #expect(try get("/usage/2").body.hasPrefix("\(Self.second),\"receipt\":{"))
    }
}

import Foundation
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(2))) struct `A PostgreSQL that grants fewer connections than workers` {
    private struct Crowd: Decodable {
        let statuses: [String: Int]
        let health: [String: Int]
    }

    /// A database, and its URL for a role that may have `limit` connections.
    private func limited(_ limit: Int) throws -> (database: Database, url: String) {
        let database = try Database()
        let role = "few_\(UInt64.random(in: 0 ... .max))"
        try database.run(
            """
            CREATE ROLE \(role) LOGIN CONNECTION LIMIT \(limit) IN ROLE pg_read_all_data;
            GRANT INSERT ON usage_record TO \(role);
            GRANT ALL ON SEQUENCE usage_record_message_id_seq TO \(role)
            """)
        return (database, database.url.replacing("orbital@", with: "\(role)@"))
    }

    /// The responses to `clients` concurrent clients in a few seconds, and the responder's log.
    private func crowd(_ clients: Int, connections: Int) throws -> (crowd: Crowd, log: String) {
        let (database, url) = try limited(connections)
        let key = try database.key()
        let responder = try Responder(databaseURL: url, environment: ["ACCESS": "keyed"])
        defer { responder.stop() }
        let nginx = try Nginx(responderPath: responder.socketPath)
        defer { nginx.stop() }
        let outcome = try Program.run(
            Repository.path("Tests/load/crowd.py"), [nginx.socketPath, "\(clients)", "2", key])
        #expect(outcome.status == 0, "\(outcome.errors)")
        print("measured: \(connections) connections, \(clients) clients: \(outcome.output)")
        return (
            try JSONDecoder().decode(Crowd.self, from: Data(outcome.output.utf8)),
            responder.program.output
        )
    }

    @Test(arguments: [(32, 8), (16, 1)])
    func `makes requests wait for a connection, and not fail`(clients: Int, connections: Int) throws
    {
        let (crowd, log) = try crowd(clients, connections: connections)
        #expect(Set(crowd.statuses.keys).isSubset(of: ["200", "201"]), "\(crowd.statuses)")
        #expect(crowd.statuses.values.reduce(0, +) > 100)
        #expect(Array(crowd.health.keys) == ["200"], "\(crowd.health)")
        let warnings = log.split(separator: "\n").filter { $0.contains("fewer connections") }
        #expect(warnings.count == 1, "\(log)")
        #expect(warnings.first?.contains("granted=\(connections)") == true, "\(warnings)")
        #expect(warnings.first?.contains("workers=16") == true, "\(warnings)")
    }
}

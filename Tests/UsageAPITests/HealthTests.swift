import HTTP
import TestSupport
import Testing
@testable import UsageAPI
import UsageStore

@Suite(.timeLimit(.minutes(1))) struct `Health` {
    private func service(_ database: Database, draining: Bool = false) -> Service {
        service(database.store(), draining: draining)
    }

    private func service(_ store: UsageStore, draining: Bool) -> Service {
        var service = Service(
            store: store, cache: ResponseCache(byteLimit: 0), cacheSeconds: 0, isKeyed: false)
        service.isDraining = draining
        return service
    }

    private func body(_ response: Response) -> String {
        guard case .bytes(let bytes) = response.body else { return "" }
        // The one part that changes from second to second.
        return String(decoding: bytes, as: UTF8.self).replacing(
            /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/, with: "NOW")
    }

    private let principal = Principal(.anybody, scopes: [])

    private let request = Request(method: "GET", path: "/health", requestID: "1")

    @Test func `is well with a database of the expected schema`() throws {
        let response = try health(request, principal, service(try Database()))
        #expect(response.status == .ok)
        #expect(body(response) == #"{"status":"healthy","timestamp":"NOW"}"#)
        #expect(response.fields.contains { $0 == ("Cache-Control", "no-store") })
    }

    @Test func `names the check that fails, and tells the operator the cause`() throws {
        let response = try health(request, principal, service(try Database(isMigrated: false)))
        #expect(response.status == .serviceUnavailable)
        #expect(
            body(response)
                == #"{"status":"unhealthy","timestamp":"NOW","checks":[{"name":"database","status":"healthy"},{"name":"schema","status":"unhealthy","message":"The database schema is out of date."}]}"#
        )
        #expect(
            response.causes == [
                "migration \(Schema.version) is not applied; run: orbitalctl migrate up"
            ])
    }

    @Test func `ignores the query, which monitors add to`() throws {
        let service = service(try Database())
        let request = Request(method: "GET", path: "/health", query: "_=1&%ff&x", requestID: "1")
        for answer in [health, live, ready] {
            #expect(try answer(request, principal, service).status == .ok)
        }
    }

    @Test func `of the process alone queries no database`() throws {
        let nowhere = UsageStore(databaseURL: "host=/nowhere", applicationName: "t", waitSeconds: 1)
        let response = try live(request, principal, service(nowhere, draining: true))
        #expect(body(response) == #"{"status":"healthy","timestamp":"NOW"}"#)
    }

    @Test func `is not ready while the process is about to stop`() throws {
        let database = try Database()
        #expect(try ready(request, principal, service(database)).status == .ok)
        let response = try ready(request, principal, service(database, draining: true))
        #expect(
            body(response)
                == #"{"status":"unhealthy","timestamp":"NOW","checks":[{"name":"process","status":"unhealthy","message":"The service is shutting down."},{"name":"database","status":"healthy"},{"name":"schema","status":"healthy"}]}"#
        )
    }

    @Test func `is healthy while all permits are taken, as long as requests succeed`() throws {
        let database = try Database()
        let shared = SharedState(admission: Admission(workers: 3, reserved: 1))
        let stores = (1...3).map { _ in
            UsageStore(
                databaseURL: database.url, applicationName: "t", waitSeconds: 5, shared: shared)
        }
        // Each holds its permit until `release`.
        for store in stores.prefix(2) {
            store.begin(arrival: .now, watching: nil)
            _ = try store.revision()
        }
        #expect(stores[2].healthChecks().map(\.fault) == ["The database is unavailable."])
        stores[0].release()
        stores[0].begin(arrival: .now, watching: nil)
        _ = try stores[0].revision()
        #expect(stores[2].healthChecks().map(\.fault) == [nil])
        stores[0].release()
        stores[1].release()
    }
}

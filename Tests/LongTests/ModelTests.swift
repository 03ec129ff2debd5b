import TestSupport
import Testing

/// The API compared with what knows nothing of its code: a model in Python, and openapi.json.
@Suite(.timeLimit(.minutes(5))) struct `The API, at length,` {
    @Test func `sums by local time as the model does, in fifty zones around their clock changes`()
        throws
    {
        let site = try Site()
        defer { site.stop() }
        try check("summary", [site.nginx.socketPath, site.database.url, "20261124", "2"])
    }

    @Test(arguments: ["open", "keyed"])
    func `does what openapi.json says in all that schemathesis tries`(access: String) throws {
        let site = try Site(["ACCESS": access])
        defer { site.stop() }
        try site.database.addContractRecords()
        let (url, nginx) = try Nginx.onPort(responderPath: site.responder.socketPath)
        defer { nginx.stop() }
        try check("fuzz", [url, access, site.database.key(), "100"])
        #expect(!site.responder.program.output.contains(" error "))
    }
}

import Foundation

extension FrontEnd {
    /// Holds the site against the contract; the options of Tests/api/contract.py say where the server
    /// falls short.
    public func holdContract(key: String? = nil, breaks: String, _ options: [String] = []) throws {
        let outcome = try Program.run(
            Repository.path(".build/test-tools/bin/python"),
            ["-B", Repository.path("Tests/api/contract.py"), url, try key ?? database.key()]
                + options + ["--breaks", breaks, database.url])
        guard outcome.output.hasPrefix("contract: holds at http://127.0.0.1:"), outcome.status == 0
        else { throw ScriptFailure("contract", outcome) }
    }

    /// A main configuration of Apache as Debian has it, in short.
    public func startApache(modules: [String], _ text: String) throws {
        let loaded = (["authz_core", "mime", "dir", "env", "alias"] + modules)
            .map { "LoadModule \($0)_module /usr/lib/apache2/modules/mod_\($0).so" }
        let owner = geteuid() == 0 ? "User \(user)\nGroup \(user)" : ""
        let main = """
            ServerRoot "\(folder.path)"
            PidFile "\(path("pid"))"
            Listen 127.0.0.1:\(port)
            ServerName localhost
            \(owner)
            ErrorLog "\(path("error.log"))"
            Mutex file:\(folder.path) default
            \(loaded.joined(separator: "\n"))
            TypesConfig /etc/mime.types
            \(text)
            """
        try start(
            "/usr/sbin/apache2", ["-f", write(main, to: "apache.conf"), "-DFOREGROUND"])
    }
}

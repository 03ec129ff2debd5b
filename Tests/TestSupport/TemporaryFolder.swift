public import Foundation

/// A folder that exists while the tests run, readable by PostgreSQL's user too.
public final class TemporaryFolder: Sendable {
    /// The one for this run.
    public static let shared = TemporaryFolder()

    /// Where it is; short, because socket paths have 107 bytes at the most.
    public let url: URL

    private init() {
        // `make test` names one, looks into its logs, and removes it even when tests are killed.
        let named = ProcessInfo.processInfo.environment["TEST_FOLDER"]
        url = URL(fileURLWithPath: named ?? "/tmp/orbital-test-\(getpid())")
        try? FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        if named != nil { return }
        atexit {
            try? FileManager.default.removeItem(at: TemporaryFolder.shared.url)
        }
    }

    /// A path in it that nothing has.
    public func file(_ name: String) -> URL {
        url.appendingPathComponent("\(name)-\(UInt32.random(in: 0 ... .max))")
    }
}

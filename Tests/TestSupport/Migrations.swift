import Foundation
public import UsageStore

/// The migration files of the repository.
public enum Migrations {
    /// Reads them in order.
    public static func all() throws -> [Migration] {
        try FileManager.default.contentsOfDirectory(atPath: Repository.path("Migrations"))
            .filter { $0.hasSuffix(".sql") }.sorted()
            .map { name in
                try Migration(
                    fileName: name,
                    text: String(
                        contentsOfFile: Repository.path("Migrations/\(name)"), encoding: .utf8))
            }
    }
}

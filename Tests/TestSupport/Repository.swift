public import Foundation

/// The checkout that the tests run from.
public enum Repository {
    /// Its top folder.
    public static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The path of a file in it.
    public static func path(_ relative: String) -> String {
        root.appendingPathComponent(relative).path
    }

    /// The version of the programs, which only `Version.swift` states.
    public static var version: String {
        get throws {
            let source = try String(
                contentsOfFile: path("Sources/Configuration/Version.swift"), encoding: .utf8)
            return String(source.firstMatch(of: /let version = "([0-9.]+)"/)?.1 ?? "none")
        }
    }

    /// The path of a program of the release build, which `make test` makes first; `make coverage`
    /// names another folder.
    public static func program(_ name: String) -> String {
        let folder = ProcessInfo.processInfo.environment["PROGRAMS"] ?? path(".build/release")
        let path = "\(folder)/\(name)"
        precondition(
            FileManager.default.isExecutableFile(atPath: path),
            "\(path) is missing: run the tests with `make test`, or `make build` first")
        return path
    }
}

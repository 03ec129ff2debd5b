import Foundation
import TestSupport
import Testing

/// The files of `deploy/systemd`, as systemd's own tools see them.
@Suite(.timeLimit(.minutes(6))) struct `The systemd units` {
    private static let units = [
        "orbital-usage.socket", "orbital-usage.service", "orbital-usage-erase.timer",
        "orbital-usage-erase.service", "orbital-usage-notify.service",
    ]

    private let folder = TemporaryFolder.shared.file("units").path

    /// Copies of the units, with the release build in the place of the installed responder.
    init() throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        for name in Self.units {
            try String(contentsOfFile: Repository.path("deploy/systemd/\(name)"), encoding: .utf8)
                .replacing(
                    "ExecStart=/usr/bin/", with: "ExecStart=\(Repository.program(""))"
                )
                .write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
        }
    }

    private func analyze(_ arguments: [String]) throws -> Program.Outcome {
        try Program.run("/usr/bin/systemd-analyze", arguments)
    }

    @Test func `are understood to the last line`() throws {
        let outcome = try analyze(
            [
                "verify", "--man=no",
            ] + Self.units.map { "\(folder)/\($0)" })
        #expect(outcome.status == 0)
        #expect(outcome.output + outcome.errors == "")
    }

    /// What `systemd-analyze security` says of the service, with a drop-in if one is named.
    private func exposure(dropIn: String? = nil) throws -> Double {
        let unit = "\(folder)/orbital-usage.service"
        if let dropIn {
            let more = try String(
                contentsOfFile: Repository.path("deploy/systemd/drop-ins/\(dropIn)"),
                encoding: .utf8)
            try (String(contentsOfFile: unit, encoding: .utf8) + more)
                .write(toFile: unit, atomically: true, encoding: .utf8)
        }
        let outcome = try analyze(["security", "--offline=true", "--no-pager", unit])
        let found = try #require(outcome.output.firstMatch(of: /exposure level for .*: ([0-9.]+)/))
        return try #require(Double(found.1))
    }

    @Test func `leave the responder hardly anything to do harm with`() throws {
        let alone = try exposure()
        let overTCP = try exposure(dropIn: "database-over-tcp.conf")
        print(
            "measured: systemd-analyze security: exposure \(alone), with PostgreSQL over TCP \(overTCP)"
        )
        // What is left: no root directory of its own, Unix sockets, and the clock device, which
        // ProtectClock= allows it to read.
        #expect(alone <= 0.2)
        #expect(overTCP <= 1.1)
    }
}

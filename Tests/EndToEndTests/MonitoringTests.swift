import Foundation
import TestSupport
import Testing

/// `deploy/monitoring`, held to Prometheus's own tool and to the metrics that there are.
@Suite struct `The files for monitoring` {
    private func promtool(_ arguments: [String]) throws -> Program.Outcome {
        try Program.run(
            Repository.path(".run/promtool/promtool"), arguments,
            directory: URL(fileURLWithPath: Repository.path("deploy/monitoring")))
    }

    private func text(_ name: String) throws -> String {
        try String(
            contentsOfFile: Repository.path("deploy/monitoring/\(name)"), encoding: .utf8)
    }

    @Test(arguments: [
        ["check", "rules", "orbital-alerts.yml"], ["check", "config", "prometheus.yml"],
        ["test", "rules"] + ["alerts", "alerts-week"].map { "../../Tests/monitoring/\($0).yml" },
    ])
    func `are what Prometheus reads, and the alerts come when they should`(
        arguments: [String]
    ) throws {
        let checked = try promtool(arguments)
        #expect(checked.status == 0, "\(checked.output)\(checked.errors)")
    }

    @Test func `say of each alert what it means and what to do`() throws {
        let alerts = try text("orbital-alerts.yml").components(separatedBy: "- alert: ").dropFirst()
        #expect(alerts.count == 17)
        for alert in alerts {
            for name in ["summary", "action", "runbook_url"] {
                #expect(alert.contains("          \(name): "))
            }
            #expect(alert.contains("for: ") && alert.contains("labels: { severity: "))
        }
    }

    @Test(arguments: ["orbital-alerts.yml", "orbital-dashboard.json"])
    func `ask for metrics that there are`(name: String) throws {
        let text = try text(name)
        if name.hasSuffix(".json") {
            #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(text.utf8)) }
        }
        let source = try String(
            contentsOfFile: Repository.path("Sources/orbital-fcgi/MetricsRoute.swift"),
            encoding: .utf8)
        let requests = try String(
            contentsOfFile: Repository.path("Sources/Metrics/Exposition.swift"), encoding: .utf8)
        let asked = Set(text.matches(of: /\b(orbital|process)_[a-z_]+/).map { String($0.0) })
        #expect(asked.count > 5)
        for metric in asked {
            let family = metric.replacing(/_bucket$/, with: "")
            #expect((source + requests).contains("\"\(family)\""), "\(metric)")
        }
    }
}

import Configuration
import Tokenizer
import Usage
import UsageStore

extension Check {
    /// Checks the connection, the server, the schema and the rates.
    func checkDatabase(_ settings: Settings, _ report: inout Report) {
        let store = UsageStore(
            databaseURL: settings.databaseURL, applicationName: "orbitalctl check", waitSeconds: 10)
        do {
            let database = try store.inspection()
            report.well("database", "connected to PostgreSQL \(database.serverVersion)")
            if !database.isUTF8 {
                report.fault(
                    "database", "the encoding is not UTF8",
                    remedy: "create a new database with ENCODING 'UTF8' TEMPLATE template0")
            }
            if database.isReadOnly {
                report.fault(
                    "database", "the server is a standby or read-only, so nothing can be recorded",
                    remedy: "add target_session_attrs=read-write and the primary to DATABASE_URL, "
                        + "or set default_transaction_read_only off")
            }
            checkServer(database, settings, &report)
            try checkSchema(store, settings, &report)
        } catch {
            let remedy = (error as? DatabaseUnavailable)?.remedy
            report.fault(
                "database", String(describing: error),
                remedy: remedy ?? "check DATABASE_URL and PostgreSQL's log")
        }
    }

    /// Reports unsafe settings and connection limits of the server.
    private func checkServer(
        _ database: DatabaseInspection, _ settings: Settings, _ report: inout Report
    ) {
        for name in database.unsafeSettings {
            report.fault(
                "database", "\(name) is off: a system crash can corrupt the database",
                remedy: "as a superuser: ALTER SYSTEM SET \(name) = on; SELECT pg_reload_conf()")
        }
        let limit = database.connectionLimit
        if limit.count < settings.workers {
            report.fault(
                "database",
                "\(limit.place) allows \(counted(limit.count, "connection")) for "
                    + "\(counted(settings.workers, "worker")), so requests wait for connections",
                remedy: UsageStore.connectionRemedy)
        }
    }

    /// Reports API keys that expire within 14 days.
    private func checkKeys(_ keys: [StoredKey], _ report: inout Report) {
        let fortnight: Int64 = 14 * 86_400 * 1_000_000
        let end = Timestamp(microseconds: Timestamp.now.microseconds + fortnight)
        for key in keys where key.isValid(at: .now) && !key.isValid(at: end) {
            report.fault(
                "keys", "key \(key.keyID) (\(key.name)) expires at \(key.expiresAt ?? end)",
                remedy: "create a new key: orbitalctl keys create NAME --scope …; configure the "
                    + "program to use it; then: orbitalctl keys revoke \(key.keyID)")
        }
    }

    /// Reports events of budgets that have failed, or that wait for more than ten minutes.
    private func checkEvents(_ status: EventStatus, _ report: inout Report) {
        if status.failed > 0 {
            report.fault(
                "notify",
                "\(counted(Int(status.failed), "event")) of budgets could not be delivered for three "
                    + "days",
                remedy:
                    "orbitalctl notify --test; when it succeeds: orbitalctl notify --once --retry")
        }
        guard let oldest = status.oldestWaiting,
            Timestamp.now.microseconds - oldest.microseconds > 600_000_000
        else { return }
        report.fault(
            "notify",
            "\(counted(Int(status.waiting), "event")) of budgets not delivered, the oldest of "
                + "\(oldest.wholeSeconds)\(status.fault.map { ": \($0)" } ?? "")",
            remedy: "see that orbitalctl notify runs (systemctl status orbital-usage-notify), and "
                + "its log")
    }

    private func checkSchema(
        _ store: UsageStore, _ settings: Settings, _ report: inout Report
    ) throws {
        if let fault = store.healthChecks().first(where: { $0.fault != nil }) {
            report.fault(
                fault.name, fault.cause ?? fault.fault ?? "", remedy: "run: orbitalctl migrate up")
            return
        }
        let missing = try store.missingTriggers()
        if missing.isEmpty {
            report.well("schema", "migration \(Schema.version) is applied")
        } else {
            report.fault(
                "schema",
                "missing or disabled triggers: \(missing.joined(separator: ", "))",
                remedy: "enable or recreate them as in Migrations/"
                    + (missing.contains { $0.contains("_rollup_") }
                        ? ", then: orbitalctl rollup rebuild" : ""))
        }
        for fault in try store.tableFaults() {
            report.fault(
                "schema", fault,
                remedy: "DROP SUBSCRIPTION …, then orbitalctl revision advance; or ALTER TABLE … "
                    + "SET LOGGED")
        }
        for closing in try store.closings() where closing.step != .done {
            report.notice(
                "closing",
                "the closing before \(closing.before) is not finished; unless it is running: orbitalctl "
                    + "close --before \(closing.before) --archive \(closing.directory)")
        }
        checkKeys(try store.keys(), &report)
        checkEvents(try store.eventStatus(), &report)
        let rates = try store.creditRates()
        guard let rate = rates.inForce(at: .now, model: "") else {
            report.fault(
                "rates", "no rate is in force, so nothing can be recorded",
                remedy: "if there are no records, orbitalctl rates first; otherwise restore "
                    + "credit_rate from a backup")
            return
        }
        report.well("rates", rate.terms)
        try checkModels(store, rates, &report)
        try checkAttributions(store, settings, &report)
        try checkRollups(settings, &report)
        checkTokenizers(rates, settings, &report)
        try checkTimestamps(store, &report)
    }

    /// Reports records with a model that were priced by a rate without one.
    private func checkModels(
        _ store: UsageStore, _ rates: [CreditRate], _ report: inout Report
    ) throws {
        let count = try store.modelRecordsWithoutModelRate()
        guard count > 0 || rates.contains(where: { $0.model != nil }) else { return }
        report.well(
            "rates",
            "\(counted(count, "record")) with a model, priced by a rate without one"
                + (count == 0 ? "" : "; see: orbitalctl rates show --model MODEL"))
    }

    /// Reports, from four fifths of ATTRIBUTION_LIMIT on, what its combinations differ in.
    private func checkAttributions(
        _ store: UsageStore, _ settings: Settings, _ report: inout Report
    ) throws {
        let limit = settings.attributionLimit
        let newest = try store.newestAttribution()
        guard limit > 0, newest * 5 >= limit * 4, let growth = try store.attributionGrowth()
        else { return }
        report.fault(
            "attributions",
            "\(newest) of \(limit) combinations of user, team, model and tags exist; beyond "
                + "ATTRIBUTION_LIMIT, messages are invalid; among the newest \(growth.count), "
                + "\(growth.part) has the most values: \(growth.values)",
            remedy: "if \(growth.part) has a value for each message, omit it, and send the value "
                + "as external_id; otherwise raise ATTRIBUTION_LIMIT")
    }

    /// Reports rollups that are not complete, not merged, or not of as many records as there are.
    private func checkRollups(_ settings: Settings, _ report: inout Report) throws {
        // Counting many records takes longer than the other checks.
        let store = UsageStore(
            databaseURL: settings.databaseURL, applicationName: "orbitalctl check",
            waitSeconds: 600)
        let status = try store.rollupStatus()
        let incomplete = status.zones.filter { !$0.isBuilt }.map(\.name)
        guard status.isBuilt, incomplete.isEmpty else {
            return report.fault(
                "rollups",
                status.isBuilt
                    ? "the sums in \(incomplete.joined(separator: ", ")) are not complete, so sums read "
                        + "the records" : "they are not complete, so sums read the records",
                remedy: "orbitalctl rollup rebuild")
        }
        if let count = try store.rollupMiscount() {
            return report.fault(
                "rollups",
                "they have \(count.rollups) messages, but there are \(count.records) records",
                remedy: "orbitalctl verify names the differences; orbitalctl rollup rebuild "
                    + "corrects them")
        }
        guard status.deltas <= 10 * UsageStore.manyDeltas else {
            return report.fault(
                "rollups", "\(status.deltas) deltas are not merged, so sums take longer",
                remedy: "orbitalctl rollup merge; the responder's log says why it does not merge")
        }
        let holder = status.deltas > 0 ? try store.rollupsHolder() : nil
        report.well(
            "rollups",
            "in \(status.zones.map(\.name).joined(separator: ", ")), with "
                + "\(counted(status.deltas, "delta")) to merge"
                + (holder.map { ", but \($0)" } ?? ""))
    }

    private func checkTimestamps(_ store: UsageStore, _ report: inout Report) throws {
        let outside = try store.recordsOutsideRange()
        guard outside.count > 0 else { return }
        let verb = outside.count == 1 ? "is" : "are"
        report.fault(
            "records",
            "\(outside.count) \(verb) dated before 2000 or more than five minutes ahead, such as "
                + "message_id \(outside.ids.joined(separator: ", "))",
            remedy: "correct the timestamps: see the runbook, A record has the wrong date")
    }

    /// Checks the vocabularies of all rates.
    private func checkTokenizers(
        _ rates: [CreditRate], _ settings: Settings, _ report: inout Report
    ) {
        let names = Set(rates.map(\.tokenizer))
        for encoding in TokenEncoding.allCases where names.contains(encoding.rawValue) {
            let directory = settings.tokenizerDirectory
            do {
                let isPrepared = try Tokenizers(of: settings).tokenizer(encoding).isPrepared
                report.well(
                    "tokenizer",
                    "\(encoding.rawValue) is in \(directory)"
                        + (isPrepared
                            ? ""
                            : ", not prepared, so each CGI request takes 50 ms longer; run: "
                                + "orbitalctl tokenizers prepare \(directory)"))
            } catch let error as TokenizerUnavailable {
                report.fault("tokenizer", error.description, remedy: error.remedy)
            } catch {
                report.fault("tokenizer", String(describing: error), remedy: "report this as a bug")
            }
        }
    }
}

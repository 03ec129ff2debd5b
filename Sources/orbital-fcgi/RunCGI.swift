import Configuration
import FastCGI
import HTTP
import Logging
import UsageAPI
import UsageStore

/// Answers the one request of a CGI process; the exit status.
func runCGI(_ settings: Settings) -> Int32 {
    let exchange = CGIExchange()
    let responder = Responder(
        store: UsageStore(settings), isDraining: { false }, bulkSlots: BulkSlots(1),
        log: makeLog { settings.level })
    responder.answer(exchange)
    return exchange.isAborted ? 1 : 0
}

extension UsageStore {
    /// Makes the responder's store.
    convenience init(_ settings: Settings) {
        self.init(
            databaseURL: settings.databaseURL, applicationName: "orbital-fcgi",
            waitSeconds: settings.databaseWaitSeconds)
    }
}

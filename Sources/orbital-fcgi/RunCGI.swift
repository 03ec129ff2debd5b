import Configuration
import FastCGI
import HTTP
import Logging

/// Answers the one request of a CGI process; the exit status.
func runCGI(_ settings: Settings) -> Int32 {
    var settings = settings
    // One answer, then the end: there is nobody to remember it for.
    settings.cacheMegabytes = 0
    let options = settings.logOptions
    let exchange = CGIExchange()
    let responder = Responder(
        Generation(settings, nil), isDraining: { false }, bulkSlots: BulkSlots(1),
        metrics: ProcessMetrics(), load: { nil }, log: makeLog { options })
    responder.answer(exchange)
    return exchange.isAborted ? 1 : 0
}

import Configuration

/// The command line; a parser library would cost milliseconds at each start as CGI.
enum CommandLineOptions {
    case serve(socketFlag: String?)
    case help
    case version

    init(_ arguments: some Collection<String>) throws(UsageError) {
        var rest = Array(arguments)[...]
        var socket: String?
        while let argument = rest.popFirst() {
            switch argument {
            case "--help", "-h":
                self = .help
                return
            case "--version":
                self = .version
                return
            case "--socket":
                guard let path = rest.popFirst(), !path.isEmpty else {
                    throw UsageError(description: "--socket needs a path")
                }
                socket = path
            default:
                guard argument.hasPrefix("--socket="), argument.count > "--socket=".count else {
                    throw UsageError(description: "unknown argument \(argument); see --help")
                }
                socket = String(argument.dropFirst("--socket=".count))
            }
        }
        self = .serve(socketFlag: socket)
    }

    static var helpText: String {
        let keys = SettingsKey.all.map { "  \($0.name)=\($0.defaultValue)\n      \($0.meaning)" }
        return """
            usage: orbital-fcgi [--socket PATH]

            Handles usage requests over FastCGI or, if a CGI server starts it, as a CGI program.

              --socket PATH   create this Unix socket and serve it; default: the socket passed
                              by systemd (LISTEN_FDS) or spawn-fcgi (descriptor 0)
              --version       print the version
              --help          print this help

            Signals:
              TERM, QUIT, INT  complete the accepted requests, then exit
              HUP              reload the configuration
              USR1             switch the log level between debug and the configured one

            Configuration: deploy/config/NAME.env or /etc/orbital-usage/NAME.env, where NAME is
            CONFIG_ENV (development, production or test). Environment variables override the file:
            \(keys.joined(separator: "\n"))
            """
    }
}

/// An invalid command line.
struct UsageError: Error, CustomStringConvertible {
    let description: String
}

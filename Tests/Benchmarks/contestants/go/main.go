// The usage API in Go: net/http behind nginx as FastCGI or plain HTTP, or a CGI program, and a pool of pgx.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"net/http"
	"net/http/cgi"
	"net/http/fcgi"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v4/pgxpool"
)

// Service answers the requests.
type Service struct {
	pool         *pgxpool.Pool
	attributions sync.Map
}

func main() {
	socket := flag.String("socket", "", "Unix socket for FastCGI")
	address := flag.String("http", "", "address for plain HTTP")
	flag.Parse()

	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	config.MaxConns = 8
	config.ConnConfig.RuntimeParams["jit"] = "off"
	// A CGI program connects when it has to.
	isCGI := os.Getenv("GATEWAY_INTERFACE") != ""
	config.LazyConnect = isCGI
	pool, err := pgxpool.ConnectConfig(context.Background(), config)
	if err != nil {
		log.Fatal(err)
	}
	service := &Service{pool: pool}

	mux := http.NewServeMux()
	mux.HandleFunc("/usage", service.usage)
	mux.HandleFunc("/health", service.health)
	mux.HandleFunc("/health/live", live)

	if isCGI {
		if err := cgi.Serve(mux); err != nil {
			log.Fatal(err)
		}
		return
	}
	failed := make(chan error)
	if *socket != "" {
		listener, err := net.Listen("unix", *socket)
		if err != nil {
			log.Fatal(err)
		}
		defer listener.Close()
		go func() { failed <- fcgi.Serve(listener, mux) }()
	}
	if *address != "" {
		go func() { failed <- http.ListenAndServe(*address, mux) }()
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, os.Interrupt)
	select {
	case err := <-failed:
		log.Print(err)
	case <-stop:
	}
}

func (s *Service) usage(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet:
		s.read(w, r)
	case http.MethodPost:
		s.record(w, r)
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "GET and POST only", http.StatusMethodNotAllowed)
	}
}

func (s *Service) health(w http.ResponseWriter, r *http.Request) {
	var one int
	if err := s.pool.QueryRow(r.Context(), "SELECT 1").Scan(&one); err != nil {
		unavailable(w, err)
		return
	}
	live(w, r)
}

func live(w http.ResponseWriter, _ *http.Request) {
	body := []byte(`{"status":"healthy","timestamp":"`)
	body = time.Now().UTC().AppendFormat(body, "2006-01-02T15:04:05Z")
	body = append(body, `"}`...)
	w.Header().Set("Content-Type", "application/json")
	w.Write(body)
}

func unavailable(w http.ResponseWriter, err error) {
	log.Print(err)
	http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
}

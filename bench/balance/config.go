package main

import "text/template"

// oursConfig is the balancer's: everything is as it comes, which is with
// metrics and retries on, and the checks ask for a path.
var oursConfig = template.Must(template.New(ours).Parse(`listen:
- address: 127.0.0.1:{{.Port}}
{{- if .Key}}
  tls: {certificate: {{.Certificate}}, key: {{.Key}}}
{{- end}}
admin: {address: "127.0.0.1:{{.Admin}}"}
upstreams:
{{- range .Upstreams}}
- http://127.0.0.1:{{.}}
{{- end}}
health: {path: /, interval: 1s}
`))

// nginxConfig is nginx's, with one worker.
var nginxConfig = template.Must(template.New(nginx).Parse(`daemon off;
worker_processes 1;
pid {{.Place}}/nginx.pid;
error_log stderr;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path {{.Place}}/nginx-body;
  proxy_temp_path {{.Place}}/nginx-proxy;
  fastcgi_temp_path {{.Place}}/nginx-fastcgi;
  uwsgi_temp_path {{.Place}}/nginx-uwsgi;
  scgi_temp_path {{.Place}}/nginx-scgi;
  keepalive_requests 1000000000;
  upstream all {
{{- range .Upstreams}}
    server 127.0.0.1:{{.}};
{{- end}}
    keepalive 512;
    keepalive_requests 1000000000;
  }
  server {
    listen 127.0.0.1:{{.Port}}{{if .Key}} ssl{{end}};
{{- if .Key}}
    ssl_certificate {{.Certificate}};
    ssl_certificate_key {{.Key}};
{{- end}}
    location / {
      proxy_pass http://all;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
    }
  }
}
`))

// haproxyConfig is HAProxy's, with one thread.
var haproxyConfig = template.Must(template.New(haproxy).Parse(`global
  nbthread 1
  maxconn 4096
defaults
  mode http
  option forwardfor
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:{{.Port}}
  default_backend all
backend all
  balance roundrobin
{{- range $i, $port := .Upstreams}}
  server s{{$i}} 127.0.0.1:{{$port}}
{{- end}}
`))

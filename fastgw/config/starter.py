"""The text that `fastgw init` writes: small, commented, and valid as it stands."""

STARTER = '''\
# fastgw.yaml: what this gateway serves, to whom, and within which limits.
# `fastgw check -c fastgw.yaml` tells what is wrong with it; `fastgw serve -c fastgw.yaml` runs it.

listen: {address: 127.0.0.1, port: 8080, workers: auto}
admin: {address: 127.0.0.1, port: 9090}   # metrics, usage, decisions
data_dir: ./fastgw-data                   # the ledger lives here

# Who answers. A model goes, under its own name, to the first provider of the request's dialect.
# ${env:NAME} is read from the environment at the start; a missing variable is an error.
providers:
  - id: openai
    dialect: openai
    base_url: https://api.openai.com/v1
    keys: [{id: primary, value: "${env:OPENAI_API_KEY}"}]
  # - id: anthropic
  #   dialect: anthropic
  #   base_url: https://api.anthropic.com
  #   keys: [{id: primary, value: "${env:ANTHROPIC_API_KEY}"}]

# Who may ask. Without this section the gateway is open and stays on loopback.
# Only the hash of a key stands here: `printf %s SECRET | sha256sum` prints it.
# keys:
#   - id: team-a
#     hash: "sha256:…"
#     owner: {team: a}
#     tags: {tier: free}
#     access: {models: ["gpt-4o*"]}
#     limits: {requests: 60/1m, tokens: 100000/1m, cost: 250/month, concurrency: 20}

# Rules are tried in order. All expressions (CEL) of a rule must hold; then its actions act.
# `enforce: false` on a rule or an action only records what it would have done.
policy:
  on_http_request:
    - name: short answers
      expressions: ["ai.operation == 'chat'"]
      actions:
        - type: cap-output
          config: {max_output_tokens: 4096}
    - name: pace of everybody
      actions:
        - type: rate-limit
          config: {name: pace, capacity: 600, per: 1m, bucket_key: ["conn.client_ip"]}
    # - name: what a team may spend          # a cap is never passed; a pace only delays
    #   actions:
    #     - type: usage-cap
    #       config: {name: team month, unit: cost, limit: 250.00, window: month,
    #                time_zone: UTC, bucket_key: ["key.owner.team"], alert_at: [50%, 80%]}
'''

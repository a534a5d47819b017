// An independent OpenID Connect provider for the tests: `node provider.mjs PORT CONSOLE_ADDRESS`.
// Whoever signs in as `officer`, `data-team`, `auditor`, `operator` or `nobody` gets that role's claim; the
// second and third officer are officers too; approvers and the inspector work for housing; `POST /test/role` gives somebody
// another role, or none. One of them has markup for a name.
import Provider from "oidc-provider";

const [port, console_address] = process.argv.slice(2);
const people = {
  "officer": "Morwenna Trelawney",
  "second-officer": "Kerensa <script>document.title='taken'</script><img src=x onerror=\"document.title='taken'\">",
  "third-officer": "Piran Nancarrow",
  "approver": "Jory Housing",
  "other-approver": "Tegen Housing",
  "inspector": "Wenna Audit",
  "data-team": "Jago Penrose",
  "auditor": "Demelza Rowe",
  "operator": "Denzil Carne",
  "nobody": "Loveday Nance",
};

// What a test says of somebody's role, in the place of what is said above.
const roles_by_test = new Map();

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: "porth-console",
    client_secret: "a secret of the tests alone",
    redirect_uris: [`${console_address}/sign-in/back`],
    response_types: ["code"],
    grant_types: ["authorization_code"],
  }],
  conformIdTokenClaims: false,
  claims: { openid: ["sub", "roles"], profile: ["name"] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  async findAccount(_context, id) {
    return {
      accountId: id,
      async claims() {
        const role = id.endsWith("-officer") ? "officer" : id.endsWith("-approver") ? "approver" : id;
        const usual = id === "nobody" || !(id in people) ? [] : [`porth-${role}`];
        const roles = roles_by_test.get(id) ?? usual;
        return { sub: id, name: people[id] ?? id, roles };
      },
    };
  },
});
provider.use(async (context, next) => {
  if (context.method !== "POST" || context.path !== "/test/role") return next();
  const { account, role } = context.query;
  roles_by_test.set(account, role ? [role] : []);
  context.status = 204;
});
provider.listen(Number(port), "127.0.0.1", () => process.stdout.write("listening\n"));

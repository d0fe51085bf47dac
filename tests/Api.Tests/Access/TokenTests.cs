using System.Text;
using Millrace.Api.Tests.Jobs;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Access;

/// <summary>Tokens of an OpenID Connect issuer, good and forged.</summary>
public sealed class TokenTests : IAsyncLifetime
{
    private static readonly string[] Both = ["submit", "read"];
    private Issuer? _issuer;
    private MillraceServer? _server;

    private Issuer Login => _issuer!;

    private MillraceServer Server => _server!;

    public async ValueTask InitializeAsync()
    {
        _issuer = await Issuer.StartAsync();
        _server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, .. _issuer.Settings]);
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        await Login.DisposeAsync();
    }

    [Fact]
    public async Task Given_a_token_of_the_issuer_When_shown_Then_its_roles_and_its_tenant_count()
    {
        using var a = Server.Client.WithKey(Login.Token(Claims("a", Both)));
        using var b = Server.Client.WithKey(Login.Token(Claims("b", "submit read")));
        using var reader = Server.Client.WithKey(Login.Token(Claims("a", "read")));
        var id = await a.SubmitAsync("ident_fp32", JobCalls.Fast);
        (await reader.FetchAsync($"/v1/jobs/{id}")).MustBe(200);
        (await reader.PostAsync("/v1/jobs", Bodies.Job("ident_fp32", JobCalls.Fast))).MustBe(403, "forbidden");
        (await b.FetchAsync($"/v1/jobs/{id}")).MustBe(404, "job_not_found");
        (await Server.Client.FetchAsync("/v1/jobs")).MustBe(401, "unauthorized"); // with an issuer nobody is let in without
    }

    [Fact]
    public async Task Given_a_token_with_the_role_admin_When_it_makes_a_key_Then_the_audit_names_its_subject()
    {
        using var admin = Server.Client.WithKey(Login.Token(Claims("a", "admin")));
        await admin.NewKeyAsync(new { name = "x", roles = Both });
        var record = Assert.Single((await admin.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray())!;
        Assert.Equal(("jwt:somebody", "key.create", "done"), ((string?)record["actor"], (string?)record["action"], (string?)record["outcome"]));
    }

    [Fact]
    [Attack(2)]
    public async Task Given_tokens_that_are_forged_or_not_for_us_When_shown_Then_401()
    {
        var claims = Claims("a", "admin");
        var good = Login.Token(claims);
        var parts = good.Split('.');
        string[] wrong =
        [
            Login.Token(claims, audience: "somebody else"), Login.Token(claims, issuer: "https://elsewhere.example"), Login.Token(claims, expiresIn: TimeSpan.FromMinutes(-5)),
            Login.Token(claims, signing: Issuer.AnotherKey), Login.Token(claims, signing: Login.PublicKeyAsSecret),
            $"{Encode("""{"alg":"none","typ":"JWT"}""")}.{parts[1]}.", $"{parts[0]}.{Encode("""{"sub":"x","tenant":"a","roles":["admin"]}""")}.{parts[2]}", $"{parts[0]}.{parts[1]}.",
            Login.Token(new Dictionary<string, object> { ["sub"] = "x", ["roles"] = Both }), Login.Token(Claims("a b", "admin")), Login.Token(Claims("", "admin")), "..", "a.b.c", good + new string('A', 20_000),
        ];
        foreach (var token in wrong)
        {
            using var client = Server.Client.WithKey(token);
            (await client.FetchAsync("/v1/jobs")).MustBe(401, "unauthorized");
        }
    }

    [Fact]
    public async Task Given_an_issuer_that_does_not_answer_When_a_token_is_shown_Then_503_and_keys_go_on()
    {
        await using var gone = await Issuer.StartAsync();
        var token = gone.Token(Claims("a", "read"));
        var settings = gone.Settings;
        await gone.DisposeAsync();
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, .. settings]);
        using var client = server.Client.WithKey(token);
        Assert.NotNull((await client.FetchAsync("/v1/jobs")).MustBe(503, "unavailable").Header("Retry-After"));
    }

    private static Dictionary<string, object> Claims(string tenant, object roles) => new() { ["sub"] = "somebody", ["tenant"] = tenant, ["roles"] = roles };

    private static string Encode(string json) => Convert.ToBase64String(Encoding.UTF8.GetBytes(json)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}

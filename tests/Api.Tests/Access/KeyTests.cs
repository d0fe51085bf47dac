using System.Text;
using Microsoft.Data.Sqlite;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Access;

/// <summary>Keys: made, shown once, asked for, wrong in every way, revoked.</summary>
public sealed class KeyTests(ServerFixture fixture)
{
    [Fact]
    [Attack(5)]
    public async Task Given_a_server_without_keys_When_the_first_is_made_Then_it_must_be_an_admin_s_and_from_then_on_everybody_needs_one()
    {
        await using var server = await MillraceServer.StartAsync();
        (await server.Client.FetchAsync("/v2/models")).MustBe(200);
        Assert.Empty((await server.Client.FetchAsync("/v1/keys")).MustBe(200).Json["data"]!.AsArray()); // no default key
        (await server.Client.PostAsync("/v1/keys", new { name = "client", roles = new[] { "submit" } })).MustBe(409, "conflict");

        using var admin = await server.Client.CloseAsync();

        var refused = (await server.Client.FetchAsync("/v2/models")).MustBe(401, "unauthorized");
        Assert.Equal("Bearer", refused.Header("WWW-Authenticate"));
        (await server.Client.FetchAsync("/v2/health/ready")).MustBe(200);
        (await server.Client.FetchAsync("/problems/unauthorized")).MustBe(200);
        using var client = await admin.MakeKeyAsync("default", "read");
        (await client.FetchAsync("/v2/models")).MustBe(200);
    }

    [Fact]
    [Attack(3)]
    public async Task Given_keys_When_listed_or_the_database_is_read_Then_no_key_is_there_but_in_the_answer_that_made_it()
    {
        await using var server = await MillraceServer.StartAsync();
        using var admin = await server.Client.CloseAsync();
        var made = await admin.NewKeyAsync(new { name = "client", tenant = "shop", roles = new[] { "submit", "read" }, expires_in = 3600, requests = 5 });
        var key = (string)made["key"]!;
        Assert.Matches("^mr_[0-9A-Z]{12}_[A-Za-z0-9_-]{43}$", key);
        Assert.Equal(("shop", 5, "client"), ((string?)made["tenant"], (int)made["requests"]!, (string?)made["name"]));

        Assert.DoesNotContain("mr_", (await admin.FetchAsync("/v1/keys")).MustBe(200).Text, StringComparison.Ordinal);
        var secret = key[^43..];
        foreach (var file in Directory.GetFiles(server.DataFolder, "millrace.db*"))
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            Assert.DoesNotContain(secret, await reader.ReadToEndAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
        await using var database = new SqliteConnection($"Data Source={server.DataFolder}/millrace.db;Mode=ReadOnly");
        await database.OpenAsync(TestContext.Current.CancellationToken);
        await using var hash = new SqliteCommand("SELECT hex(hash) FROM api_keys WHERE name = 'client'", database);
        Assert.Equal(Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(key))), await hash.ExecuteScalarAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    [Attack(2)]
    public async Task Given_keys_that_are_wrong_in_every_way_When_shown_Then_each_gets_the_same_401()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, Keys.Unlimited);
        using var admin = await server.Client.CloseAsync();
        using var revoked = await admin.MakeKeyAsync("default", "read");
        var id = revoked.Shown()[3..15];
        (await admin.AskAsync(HttpMethod.Delete, $"/v1/keys/{id}")).MustBe(204);
        var expired = (string)(await admin.NewKeyAsync(new { name = "short", roles = new[] { "read" }, expires_in = 1 }))["key"]!;
        using (var shortLived = server.Client.WithKey(expired))
            await Waiting.UntilAsync(async () => (await shortLived.FetchAsync("/v1/jobs")).Status == 401, "the key has expired");
        var good = admin.Shown();
        string?[] wrong =
        [
            null, "", "Bearer", "Bearer ", "Bearer  " + good, "Bearer " + good[..^1] + (good[^1] == 'A' ? 'B' : 'A'), "Bearer " + good[..^1], "Bearer " + good + "A", "Bearer mr_", "Bearer xx_" + good[3..],
            "Bearer mr_AAAAAAAAAAAA_" + good[16..], "Bearer " + new string('x', 10_000), "Bearer " + revoked.Shown(), "Bearer " + expired, "Basic " + good, good, $"Bearer {good}, Bearer {good}", "Bearer a.b.c",
        ];
        var bodies = new HashSet<string>();
        foreach (var authorization in wrong)
        {
            using var client = server.Client.With(authorization);
            var answer = (await client.FetchAsync("/v1/jobs", ("X-Request-Id", "same"))).MustBe(401, "unauthorized");
            Assert.Equal("Bearer", answer.Header("WWW-Authenticate"));
            bodies.Add(answer.Text);
        }
        Assert.Single(bodies);
        (await admin.FetchAsync("/v1/keys")).MustBe(200);
    }

    [Fact]
    [Attack(4)]
    public async Task Given_many_wrong_keys_of_one_address_When_they_go_on_Then_429_and_a_good_key_from_there_still_works()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, "Millrace:Access:FailuresPerMinute=5"]);
        using var admin = await server.Client.CloseAsync();
        var statuses = new List<int>();
        Answer? last = null;
        for (var at = 0; at < 12; at++)
        {
            using var client = server.Client.WithKey($"mr_{at:D12}_{new string('x', 43)}");
            last = await client.FetchAsync("/v1/jobs");
            statuses.Add(last.Status);
        }
        Assert.Equal(Enumerable.Repeat(401, 5), statuses.Take(5));
        Assert.Equal(429, statuses[^1]);
        Assert.InRange(int.Parse(last!.MustBe(429, "rate_limited").Header("Retry-After")!, System.Globalization.CultureInfo.InvariantCulture), 1, 60);
        (await admin.FetchAsync("/v1/keys")).MustBe(200);
    }

    [Fact]
    [Attack(10)]
    public async Task Given_the_last_admin_and_an_operator_When_one_would_revoke_itself_and_the_other_make_an_admin_Then_409_and_403_and_both_are_audited()
    {
        await using var server = await MillraceServer.StartAsync();
        using var admin = await server.Client.CloseAsync();
        var own = admin.Shown()[3..15];
        using var operating = await admin.MakeKeyAsync("default", "operate");

        (await admin.AskAsync(HttpMethod.Delete, $"/v1/keys/{own}")).MustBe(409, "conflict");
        (await operating.PostAsync("/v1/keys", new { name = "x", roles = new[] { "admin" } })).MustBe(403, "forbidden");
        (await admin.AskAsync(HttpMethod.Delete, "/v1/keys/nobody")).MustBe(404, "not_found");

        var records = (await admin.FetchAsync("/v1/audit")).MustBe(200).Json["data"]!.AsArray().Select(r => ((string)r!["action"]!, (string)r["outcome"]!, (string)r["actor"]!)).ToArray();
        Assert.Equal([("key.revoke", "refused", own), ("key.create", "refused", operating.Shown()[3..15]), ("key.revoke", "refused", own), ("key.create", "done", own), ("key.create", "done", "open")], records);
    }

    [Theory]
    [InlineData("""{"name": "x", "roles": []}""", "/roles")]
    [InlineData("""{"name": "x", "roles": ["root"]}""", "/roles")]
    [InlineData("""{"name": "x", "roles": "admin"}""", "/roles")]
    [InlineData("""{"roles": ["admin"]}""", "/name")]
    [InlineData("""{"name": "a\u001b[2J", "roles": ["admin"]}""", "/name")]
    [InlineData("""{"name": "x", "roles": ["admin"], "tenant": "a b"}""", "/tenant")]
    [InlineData("""{"name": "x", "roles": ["admin"], "expires_in": -1}""", "/expires_in")]
    [InlineData("""{"name": "x", "roles": ["admin"], "expires_in": 1e308}""", "/expires_in")]
    [InlineData("""{"name": "x", "roles": ["admin"], "requests": 2147483648}""", "/requests")]
    [InlineData("""{"name": "x", "roles": ["admin"], "key": "mr_mine"}""", "/key")]
    public async Task Given_a_key_that_can_not_be_When_made_Then_400_points_to_what_is_wrong(string body, string pointer)
    {
        var answer = (await fixture.Client.PostAsync("/v1/keys", body)).MustBe(400, "invalid_request");
        Assert.Equal(pointer, (string?)answer.Json["errors"]![0]!["pointer"]);
    }

    [Theory]
    [Attack(53)]
    [InlineData("access_token={0}")]
    [InlineData("api_key=anything")]
    [InlineData("x={0}")]
    public async Task Given_a_key_in_the_address_When_called_Then_it_is_refused(string query)
    {
        await using var server = await MillraceServer.StartAsync();
        using var admin = await server.Client.CloseAsync();
        var path = $"/v2/models?{string.Format(System.Globalization.CultureInfo.InvariantCulture, query, admin.Shown())}";
        var answer = (await server.Client.FetchAsync(path)).MustBe(400, "invalid_request");
        Assert.DoesNotContain(admin.Shown(), answer.Text, StringComparison.Ordinal);
        (await admin.FetchAsync(path)).MustBe(400, "invalid_request");
    }
}

using System.Text.RegularExpressions;
using Millrace.Tests.Support;

namespace Millrace.Api.Tests.Access;

/// <summary>Every route with every role, against the published table.</summary>
public sealed partial class RoleTests
{
    private static readonly string[] Roles = ["submit", "read", "operate", "admin"];

    [Fact]
    [Attack(1, 6, 38)]
    public async Task Given_every_route_When_called_with_no_key_and_with_each_role_Then_it_answers_as_the_published_table_says()
    {
        await using var server = await MillraceServer.StartAsync(Repository.TestModels, [.. Keys.Unlimited, "Millrace:Access:FailuresPerMinute=100000"]);
        using var admin = await server.Client.CloseAsync();
        var clients = new Dictionary<string, HttpClient>();
        foreach (var role in Roles)
            clients[role] = await admin.MakeKeyAsync("default", role);
        var table = Line().Matches(await File.ReadAllTextAsync(Path.Combine(Repository.Root, "docs", "access.md"), TestContext.Current.CancellationToken));
        Assert.True(table.Count > 30);
        foreach (Match row in table)
        {
            var method = new HttpMethod(row.Groups["method"].Value);
            var path = Parameter().Replace(row.Groups["path"].Value, "nosuch");
            var needs = row.Groups["needs"].Value;
            var nobody = await server.Client.AskAsync(method, path);
            Assert.True(nobody.Status == 401 == (needs != "nothing"), $"{method} {path} without a key: {nobody.Status}");
            foreach (var (role, client) in clients)
            {
                var allowed = needs is "nothing" or "any key" || needs.Split(" or ").Contains(role);
                var answer = await client.AskAsync(method, path);
                Assert.True(answer.Status is not 401 && answer.Status == 403 == !allowed, $"{method} {path} as {role} (needs {needs}): {answer.Status}");
            }
        }
        foreach (var client in clients.Values)
            client.Dispose();
    }

    [Theory]
    [Attack(1)]
    [InlineData("GET", "/v1/nosuch")]
    [InlineData("PATCH", "/v1/jobs")]
    [InlineData("GET", "/")]
    [InlineData("GET", "/metrics")]
    public async Task Given_a_path_without_a_route_When_called_without_a_key_Then_401_so_that_nobody_learns_which_there_are(string method, string path)
    {
        await using var server = await MillraceServer.StartAsync();
        using var admin = await server.Client.CloseAsync();
        (await server.Client.AskAsync(new HttpMethod(method), path)).MustBe(401, "unauthorized");
        Assert.True((await admin.AskAsync(new HttpMethod(method), path)).Status is 404 or 405);
    }

    [GeneratedRegex(@"(?m)^\| (?<method>[A-Z]+) \| `(?<path>/[^`]*)` \| (?<needs>[a-z ]+) \|$")]
    private static partial Regex Line();

    [GeneratedRegex(@"\{[^}]+\}")]
    private static partial Regex Parameter();
}

using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Routing;
using Millrace.Architecture.Tests.Documents;
using Millrace.Standalone;
using Millrace.Tests.Support;

namespace Millrace.Architecture.Tests;

/// <summary>What is written beside the code stays true to it.</summary>
public sealed partial class DocumentTests
{
    [Fact]
    public void Given_the_settings_When_the_configuration_page_is_read_Then_it_is_what_the_options_say() => Generated.MustBe("configuration.md", ConfigurationPage.Write());

    [Fact]
    public void Given_the_settings_of_a_model_When_their_schema_is_read_Then_it_has_just_these_members() => Generated.MustBeWhole("model.schema.json", ModelSchema.Write());

    [Fact]
    public async Task Given_the_instruments_When_the_metrics_page_is_read_Then_it_is_what_a_server_shows() => Generated.MustBe("metrics.md", await MetricsPage.WriteAsync());

    [Fact]
    public void Given_the_error_codes_When_the_errors_page_is_read_Then_it_is_what_the_code_says() => Generated.MustBe("errors.md", ErrorsPage.Write());

    [Fact]
    public void Given_the_routes_When_the_access_page_is_read_Then_it_has_what_each_asks_of_its_caller() => Generated.MustBe("access.md", RolesPage.Write());

    [Fact]
    public void Given_the_tests_When_the_security_page_is_read_Then_it_has_each_attack_with_its_tests() => Generated.MustBe("security-report.md", SecurityPage.Write());

    [Fact]
    public void Given_the_tests_When_the_conformance_page_is_read_Then_each_line_marked_tested_has_a_test_and_no_other_has()
    {
        var tested = Directory.GetFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => Marks().Matches(File.ReadAllText(file))).SelectMany(m => Number().Matches(m.Value)).Select(m => int.Parse(m.Value, System.Globalization.CultureInfo.InvariantCulture));
        var claimed = Claimed().Matches(Read("docs", "conformance.md")).Select(m => int.Parse(m.Groups["line"].Value, System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(tested.Distinct().Order(), claimed.Distinct().Order());
    }

    [Fact]
    public async Task Given_the_bugs_that_are_built_in_on_purpose_When_compared_with_the_sources_Then_each_still_fits()
    {
        var patches = Directory.GetFiles(Path.Combine(Repository.Root, "tests", "Chaos", "bugs"), "*.patch");
        Assert.NotEmpty(patches);
        foreach (var patch in patches)
        {
            using var git = Process.Start(new ProcessStartInfo("git", ["apply", "--check", patch]) { WorkingDirectory = Repository.Root, RedirectStandardError = true })!;
            var errors = await git.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            await git.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.True(git.ExitCode == 0, $"{Path.GetFileName(patch)} (make bugs): {errors}");
        }
    }

    [Fact]
    public void Given_the_routes_When_mapped_Then_each_has_a_name_and_a_summary()
    {
        using var app = (IDisposable)StandaloneApp.Build([]);
        var own = ((IEndpointRouteBuilder)app).DataSources.SelectMany(s => s.Endpoints).OfType<RouteEndpoint>()
            .Where(e => e.RoutePattern.RawText is { } path && Own().IsMatch(path)).ToArray();
        Assert.NotEmpty(own);
        Assert.All(own, e => Assert.NotNull(e.Metadata.GetMetadata<IEndpointNameMetadata>()));
        Assert.All(own, e => Assert.NotNull(e.Metadata.GetMetadata<Microsoft.AspNetCore.Http.Metadata.IEndpointSummaryMetadata>()));
    }

    private static string Read(params string[] path) => File.ReadAllText(Path.Combine([Repository.Root, .. path]));

    [GeneratedRegex(@"\[Conformance\([0-9, ]+\)\]")]
    private static partial Regex Marks();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();

    [GeneratedRegex(@"(?m)^\|\s*(?<line>\d+)\s*\|\s*tested")]
    private static partial Regex Claimed();

    [GeneratedRegex("^/?v[12](/|$)|^/?problems")]
    private static partial Regex Own();
}

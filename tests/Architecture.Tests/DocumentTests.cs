using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Millrace.Api.Errors;
using Millrace.Hosting.Configuration;
using Millrace.Hosting.Health;
using Millrace.Standalone;
using Millrace.Tests.Support;

namespace Millrace.Architecture.Tests;

/// <summary>What is written beside the code stays true to it.</summary>
public sealed partial class DocumentTests
{
    [Fact]
    public void Given_the_settings_When_the_configuration_page_is_read_Then_it_has_each_of_them_and_no_other()
    {
        using var app = (IDisposable)StandaloneApp.Build([]);
        var settings = ((WebApplication)app).Services.GetServices<SettingsSection>().Append(new SettingsSection("Health", typeof(HealthOptions))) // the worker's alone
            .SelectMany(s => s.Options.GetProperties().Select(p => $"Millrace:{s.Name}:{p.Name}")).Order().ToArray();
        Assert.NotEmpty(settings);
        var documented = Setting().Matches(Read("docs", "configuration.md")).Select(m => m.Value).Distinct().Order().ToArray();
        Assert.Equal(settings, documented);
    }

    [Fact]
    public void Given_the_error_codes_When_the_errors_page_is_read_Then_it_has_each_with_its_status()
    {
        var page = Read("docs", "errors.md");
        Assert.All(ErrorCodes.All.Values, e => Assert.Matches($@"(?m)^\|\s*{e.Status}\s*\|\s*`{e.Name}`", page));
    }

    [Fact]
    public void Given_the_tests_When_the_conformance_page_is_read_Then_each_line_marked_tested_has_a_test_and_no_other_has()
    {
        var tested = Directory.GetFiles(Path.Combine(Repository.Root, "tests"), "*.cs", SearchOption.AllDirectories)
            .SelectMany(file => Marks().Matches(File.ReadAllText(file))).SelectMany(m => Number().Matches(m.Value)).Select(m => int.Parse(m.Value, System.Globalization.CultureInfo.InvariantCulture));
        var claimed = Claimed().Matches(Read("docs", "conformance.md")).Select(m => int.Parse(m.Groups["line"].Value, System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(tested.Distinct().Order(), claimed.Distinct().Order());
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

    [GeneratedRegex(@"Millrace:[A-Z]\w+:[A-Z]\w+")]
    private static partial Regex Setting();

    [GeneratedRegex(@"\[Conformance\([0-9, ]+\)\]")]
    private static partial Regex Marks();

    [GeneratedRegex(@"\d+")]
    private static partial Regex Number();

    [GeneratedRegex(@"(?m)^\|\s*(?<line>\d+)\s*\|\s*tested")]
    private static partial Regex Claimed();

    [GeneratedRegex("^/?v[12](/|$)|^/?problems")]
    private static partial Regex Own();
}

using System.Reflection;
using Millrace.Standalone;

namespace Millrace.Architecture.Tests;

public sealed class ArrowTests
{
    /// <summary>What each project may know directly; see ARCHITECTURE.md.</summary>
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Messages"] = [],
        ["Storage"] = ["Messages"],
        ["Hosting"] = ["Storage", "Messages"],
        ["Api"] = ["Hosting", "Storage", "Messages"],
        ["Worker"] = ["Hosting", "Storage", "Messages"],
        ["Standalone"] = ["Api", "Worker", "Hosting", "Storage", "Messages"],
        ["Rollback"] = [], // it may write to the cluster, so it knows nothing else
    };

    public static TheoryData<string> Projects => [.. Allowed.Keys];

    [Theory]
    [MemberData(nameof(Projects))]
    public void Given_a_project_When_its_references_are_read_Then_they_follow_the_arrows(string project)
    {
        var known = Assembly.Load($"Millrace.{project}").GetReferencedAssemblies().Select(a => a.Name!)
            .Where(name => name.StartsWith("Millrace.", StringComparison.Ordinal)).Select(name => name["Millrace.".Length..]);
        Assert.Subset(Allowed[project].ToHashSet(), known.ToHashSet());
    }

    [Fact]
    public void Given_the_messages_When_their_references_are_read_Then_there_is_no_package()
    {
        var references = Assembly.Load("Millrace.Messages").GetReferencedAssemblies().Select(a => a.Name!);
        Assert.All(references, name => Assert.StartsWith("System.", name, StringComparison.Ordinal));
    }

    [Fact]
    public void Given_the_source_folders_When_listed_Then_each_project_has_its_arrows() =>
        Assert.Equal(Allowed.Keys.Order(), Directory.GetDirectories(Path.Combine(Millrace.Tests.Support.Repository.Root, "src")).Select(Path.GetFileName).Order());

    private static readonly Type Anchor = typeof(StandaloneApp); // loads the whole product into this process
}

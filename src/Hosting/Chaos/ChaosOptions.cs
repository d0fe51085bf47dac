namespace Millrace.Hosting.Chaos;

/// <summary>Calls that go wrong on purpose, to see that circuits, alerts and rollbacks do what they should. Switched by <c>/v1/chaos</c>.</summary>
public sealed class ChaosOptions
{
    /// <summary>Let the switch have an effect in this process. The environment must not be Production, which it is unless <c>DOTNET_ENVIRONMENT</c> says otherwise.</summary>
    public bool Enabled { get; set; }

    /// <summary>A name by which an order can mean some processes only, as those of a new version.</summary>
    public string Scope { get; set; } = "";
}

namespace Millrace.Hosting.Configuration;

/// <summary>The process can't start, for a reason that its operator can mend. The message is one line that says what and where.</summary>
public sealed class StartupException : Exception
{
    public StartupException() { }
    public StartupException(string message) : base(message) { }
    public StartupException(string message, Exception inner) : base(message, inner) { }
}
